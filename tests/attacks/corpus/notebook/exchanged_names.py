"""Exchanges the names of an answer cell and a test cell, so that the answer is what is graded."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    cells = [cell["metadata"]["nbgrader"] for cell in notebook["cells"] if "nbgrader" in cell["metadata"]]
    by_name = {cell["grade_id"]: cell for cell in cells}
    by_name["depth"]["grade_id"], by_name["depth-test"]["grade_id"] = "depth-test", "depth"
    return notebook
