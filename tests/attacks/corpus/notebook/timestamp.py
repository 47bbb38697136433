"""Hands in a time of submission that is no time, and one that lies far in the future."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    (folder / "timestamp.txt").write_text("9999-99-99 99:99:99 Mars/Olympus\n" + "x" * 100_000)
    return notebook
