"""Moves the test cells before everything that they test."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    notebook["cells"].sort(key=lambda cell: not cell["metadata"].get("nbgrader", {}).get("grade", False))
    return notebook
