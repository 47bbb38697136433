"""Puts values of the wrong kind everywhere: cells that are none, sources that are numbers, metadata that is text."""

prize = "time"
harmless = True


def rewrite(notebook, folder):
    notebook["cells"][0]["source"] = 7
    notebook["cells"][1]["metadata"] = "none"
    notebook["cells"][2] = None
    return {**notebook, "metadata": [1, 2]}
