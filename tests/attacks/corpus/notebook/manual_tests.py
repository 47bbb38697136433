"""Declares the test cells to be answers that somebody must grade by hand."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    for cell in notebook["cells"]:
        about = cell["metadata"].get("nbgrader", {})
        if about.get("grade"):
            about["solution"] = True
    return notebook
