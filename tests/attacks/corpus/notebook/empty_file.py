"""Hands in a file with nothing in it."""

prize = "time"
harmless = True


def rewrite(notebook, folder):
    return b""
