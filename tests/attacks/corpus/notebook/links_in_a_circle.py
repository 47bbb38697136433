"""Hands in folders that are links to each other, which never end for whoever follows them."""

prize = "time"
harmless = True


def rewrite(notebook, folder):
    (folder / "a").mkdir()
    (folder / "a" / "b").symlink_to("..")
    (folder / "c").symlink_to("c")
    return notebook
