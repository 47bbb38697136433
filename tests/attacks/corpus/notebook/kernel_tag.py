"""Tags the test cells with the word by which an instructor lets a cell run in the student's process."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade"):
            cell["metadata"]["tags"] = ["ustod-in-kernel"]
    notebook["cells"].insert(
        0,
        {
            "cell_type": "code",
            "id": "attack",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": "async def nothing(*args, **kwargs):\n    return False\n\n\nget_ipython().run_code = nothing",
        },
    )
    return notebook
