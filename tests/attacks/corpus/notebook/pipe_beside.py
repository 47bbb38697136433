"""Hands in a named pipe among the files, which blocks whoever opens it."""

import os


prize = "time"
harmless = True


def rewrite(notebook, folder):
    os.mkfifo(folder / "data.csv")
    return notebook
