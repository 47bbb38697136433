"""Adds a graded cell of its own, worth a hundred points."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    about = {"grade": True, "grade_id": "mine", "locked": False, "points": 100, "schema_version": 3}
    about |= {"solution": False, "task": False, "cell_type": "code"}
    cell = {"cell_type": "code", "id": "mine", "metadata": {"nbgrader": about}, "source": "100"}
    notebook["cells"].append(cell | {"outputs": [], "execution_count": None})
    return notebook
