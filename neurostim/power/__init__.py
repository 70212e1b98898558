"""Operating characteristics: how often replicated trials of a design reject, by size and scenario.

A *scenario* is a design under one assumption; a *replicate* is one simulated trial of it, with
people of its own. The pool lives the people of many replicates at once, and each size analyses the
first people of each arm, so that one life serves every size.
"""
