"""The one exception that a user of Ustod is meant to read."""


class UstodError(Exception):
    """Something the user must look at.

    The message is one sentence: what happened, to which file, and what to do. The command line prints it without a
    traceback and exits with 1.
    """


def one_line(text: str) -> str:
    """`text` with an escape for whatever is not to be printed: names of files may hold ends of lines, or no text."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
