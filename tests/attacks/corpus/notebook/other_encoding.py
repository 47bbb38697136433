"""Hands in a notebook in another encoding, with the mark that says so."""

import json


prize = "time"
harmless = True


def rewrite(notebook, folder):
    return json.dumps(notebook).encode("utf-16")
