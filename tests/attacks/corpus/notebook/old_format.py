"""Claims an old version of the notebook format, from which the cells are converted and lose their metadata."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": notebook["cells"]}]}
