"""The one exception that a user of Ustod is meant to read."""


class UstodError(Exception):
    """Something the user must look at.

    The message is one sentence: what happened, to which file, and what to do. The command line prints it without a
    traceback and exits with 1.
    """
