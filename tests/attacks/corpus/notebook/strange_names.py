"""Hands in files whose names hold line ends, quotes and bytes that are no text."""

import os


prize = "time"
harmless = True


def rewrite(notebook, folder):
    for name in (b"line\nend", b'quote"s', b"\xff\xfe", b"-rf", b" ", "\u202egpj".encode(), b"x" * 250):
        with open(os.fsencode(folder) + b"/" + name, "w") as file:
            file.write("x")
    return notebook
