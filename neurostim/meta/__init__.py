"""What earlier patients teach about the next one: priors over a list, learned, kept and shared.

Nothing here treats anybody. `neurostim.learning` lives the patients that a prior is learned on.
"""
