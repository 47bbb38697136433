"""Hands in test cells that already hold a result, under a kernel that does not exist."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    for cell in notebook["cells"]:
        points = cell["metadata"].get("nbgrader", {}).get("points")
        if points:
            data = {"text/plain": str(points)}
            result = {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}
            cell["outputs"], cell["execution_count"] = [result], 1
    notebook["metadata"]["kernelspec"] = {"name": "none", "display_name": "none", "language": "none"}
    return notebook
