"""Claims a version of the notebook format that does not exist."""

prize = "time"
harmless = True


def rewrite(notebook, folder):
    return {**notebook, "nbformat": 99, "nbformat_minor": -1}
