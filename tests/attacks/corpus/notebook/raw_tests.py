"""Hands in test cells as raw text, which is neither executed nor shown."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade"):
            cell["cell_type"] = cell["metadata"]["nbgrader"]["cell_type"] = "raw"
            del cell["outputs"], cell["execution_count"]
    return notebook
