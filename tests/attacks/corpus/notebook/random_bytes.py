"""Hands in bytes that are no text in any encoding."""

prize = "time"
harmless = True


def rewrite(notebook, folder):
    return bytes(range(256)) * 1000
