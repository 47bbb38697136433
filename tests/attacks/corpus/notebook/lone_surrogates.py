"""Puts halves of characters into sources and names, which no file can hold."""

prize = "time"
harmless = True


def rewrite(notebook, folder):
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = "text = '\ud83d \udc00'\nprint(text)"
    notebook["metadata"]["title"] = "\udfff"
    return notebook
