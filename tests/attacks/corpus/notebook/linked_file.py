"""Hands in links to a file of the home folder and to the folder itself, which are copied with the other files."""

prize = "home"
harmless = True


def rewrite(notebook, folder):
    home = folder.parents[3] / "home"
    (folder / "data.csv").symlink_to(home / ".token")
    (folder / "data").symlink_to(home)
    (folder / "relative.csv").symlink_to("../../../../home/.token")
    return notebook
