"""The study of meta-optimisation: what teaching and structure are worth, who is hard, measured."""
