"""Learning priors: patients lived through the loop, the choice between priors, and the commands."""
