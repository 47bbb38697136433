"""Hands in a link to a classmate's notebook instead of one of its own."""

prize = "classmate"
harmless = True


def rewrite(notebook, folder):
    target = folder.parents[1] / "classmate" / folder.name / f"{folder.name}.ipynb"
    (folder / f"{folder.name}.ipynb").symlink_to(target)
