"""Puts values of the wrong kind into what nbgrader notes on its cells."""

prize = "time"
harmless = True


def rewrite(notebook, folder):
    strange = iter([[], 7, {"grade": "yes"}, {"grade_id": ["a"]}, {"schema_version": 99}, None, "text"])
    for cell in notebook["cells"]:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"] = next(strange, {})
    return notebook
