"""The one exception that a user's mistake becomes."""


class InputError(ValueError):
    """Something a person wrote is wrong: one sentence with what, what was expected, and where.

    The command line prints the sentence and exits with code 2; every other exception is a defect
    of this program.
    """
