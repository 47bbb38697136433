"""Deletes the test cells."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    notebook["cells"] = [c for c in notebook["cells"] if not c["metadata"].get("nbgrader", {}).get("grade")]
    return notebook
