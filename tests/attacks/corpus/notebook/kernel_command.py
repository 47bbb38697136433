"""Asks for a kernel by a path, at which it hands in a kernel that is a command."""

import json


prize = "host"
harmless = True


def rewrite(notebook, folder):
    started = folder.parents[3] / "drop" / "started"
    spec = {"argv": ["touch", str(started)], "display_name": "x", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    notebook["metadata"]["kernelspec"] = {"name": str(folder), "display_name": "x", "language": "bash"}
    notebook["metadata"]["language_info"] = {"name": "bash"}
    return notebook
