"""Hands in files that nobody may read, in a folder that nobody may enter."""

prize = "time"
harmless = True


def rewrite(notebook, folder):
    (folder / "closed").mkdir()
    (folder / "closed" / "data.csv").write_text("x")
    (folder / "closed" / "data.csv").chmod(0)
    (folder / "closed").chmod(0)
    return notebook
