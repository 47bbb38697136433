"""Hands in a named pipe under the name of the notebook, which blocks whoever reads it."""

import os


prize = "time"
harmless = True


def rewrite(notebook, folder):
    os.mkfifo(folder / f"{folder.name}.ipynb")
