"""Hands in a relative link to a file of the home folder, and opens it as its own."""

import os


prize = "home"
harmless = True


def rewrite(notebook, folder):
    secret = folder.parents[3] / "home" / ".token"
    (folder / "data.csv").symlink_to(os.path.relpath(secret, folder))
    notebook["cells"][0] = {
        "cell_type": "code",
        "id": "read",
        "metadata": {},
        "source": "print(open('data.csv').read())",
    }
    notebook["cells"][0] |= {"outputs": [], "execution_count": None}
    return notebook
