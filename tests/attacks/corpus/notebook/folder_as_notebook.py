"""Hands in a folder under the name of the notebook."""

prize = "time"
harmless = True


def rewrite(notebook, folder):
    (folder / f"{folder.name}.ipynb").mkdir()
