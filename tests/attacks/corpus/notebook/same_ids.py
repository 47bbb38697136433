"""Gives all cells the same id, and one of them an id that is a path."""

prize = "time"
harmless = True


def rewrite(notebook, folder):
    for cell in notebook["cells"]:
        cell["id"] = "same"
    notebook["cells"][0]["id"] = "../../../etc"
    return notebook
