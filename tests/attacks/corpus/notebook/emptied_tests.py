"""Hands in test cells of another kind, whose text is not executed."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade"):
            cell["cell_type"] = "markdown"
            del cell["outputs"], cell["execution_count"]
    return notebook
