"""Hands in its own version of the file beside the notebook that names exercises and language."""

prize = "points"
harmless = True


def rewrite(notebook, folder):
    text = (
        '{"unit": "u90_sums", "language": "../../..", "edition": "self-study", "exercises": {}, "messages": {"x": 7}}'
    )
    (folder / "ustod.json").write_text(text)
    return notebook
