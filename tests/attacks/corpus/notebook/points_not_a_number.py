"""Writes points that are no number, negative or endless into the notebook."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    strange = iter([float("nan"), float("inf"), -5, "many", None])
    for cell in notebook["cells"]:
        if "points" in cell["metadata"].get("nbgrader", {}):
            cell["metadata"]["nbgrader"]["points"] = next(strange)
    return notebook
