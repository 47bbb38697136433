"""Hands in half a notebook, cut off in the middle."""

import json


prize = "time"
harmless = True


def rewrite(notebook, folder):
    text = json.dumps(notebook).encode()
    return text[: len(text) // 2]
