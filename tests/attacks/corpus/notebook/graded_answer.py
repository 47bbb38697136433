"""Declares the answer cells to be graded ones, each with points of its own."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    for cell in notebook["cells"]:
        about = cell["metadata"].get("nbgrader", {})
        if about.get("solution"):
            cell["source"] = "10"
            about.update(grade=True, points=10)
    return notebook
