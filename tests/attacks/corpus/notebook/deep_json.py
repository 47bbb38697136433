"""Nests metadata a hundred thousand levels deep, at which a parser that calls itself gives up."""

import json


prize = "time"
harmless = True


def rewrite(notebook, folder):
    deep = "[" * 100_000 + "]" * 100_000
    notebook["metadata"]["deep"] = 0
    return json.dumps(notebook).replace('"deep": 0', f'"deep": {deep}').encode()
