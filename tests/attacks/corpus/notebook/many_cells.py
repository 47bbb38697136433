"""Hands in twenty thousand cells, all alike."""

prize = "time"
harmless = True


def rewrite(notebook, folder):
    cell = {"cell_type": "markdown", "metadata": {}, "source": "x"}
    notebook["cells"] += [{**cell, "id": f"x{number}"} for number in range(20_000)]
    return notebook
