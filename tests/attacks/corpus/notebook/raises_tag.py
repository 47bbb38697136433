"""Tags the test cells as ones that are meant to raise."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade"):
            cell["metadata"]["tags"] = ["raises-exception"]
    return notebook
