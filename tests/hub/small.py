"""A lab that is only files: no accounts, nothing running."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from autograder.hub.lab import Lab, read_lab

TOML = """
name = "Lab 1"

[server]
first_port = {port}

[tls]
mode = "off"

[storage]
root = "{root}"
run = "{run}"

[backup]
folder = "{stick}"
homes = {homes}
keep = {keep}

[[instructors]]
id = "rahimova"

[[courses]]
name = "ml"
instructors = ["rahimova"]
roster = "lists/ml.csv"
"""


def small_lab(folder: Path, homes: bool = True, keep: int = 7, port: int = 900) -> Lab:
    """A lab in `folder`, with a database of the hub, a gradebook, something handed in and a home."""
    lab = declare(folder, homes, keep, port)
    (folder / "stick").mkdir()
    root = folder / "srv"
    for name in ("hub/logs", "courses/ml/source/ps1", "exchange/ml/s1", "homes/s1/work"):
        (root / name).mkdir(parents=True)
    for name in ("hub/jupyterhub.sqlite", "courses/ml/gradebook.db"):
        with closing(sqlite3.connect(root / name)) as database, database:
            database.execute("create table grade (student text, score real)")
            database.execute("insert into grade values ('s1', 7.5)")
    (root / "hub" / "secrets.json").write_text('{"control": "0000"}')
    (root / "hub" / "secrets.json").chmod(0o600)
    (root / "hub" / "logs" / "hub.log").write_text("nothing of interest")
    (root / "courses" / "ml" / "source" / "ps1" / "ps1.ipynb").write_text("{}")
    (root / "exchange" / "ml" / "s1" / "ps1.zip").write_bytes(b"handed in")
    (root / "exchange" / "incoming").mkdir()
    (root / "exchange" / "incoming" / "half").write_bytes(b"handed")
    (root / "homes" / "s1" / "work" / "ps1.ipynb").write_text('{"cells": []}')
    return lab


def declare(folder: Path, homes: bool = True, keep: int = 7, port: int = 900) -> Lab:
    """lab.toml and its class list alone."""
    (folder / "etc" / "lists").mkdir(parents=True, exist_ok=True)
    (folder / "etc" / "lists" / "ml.csv").write_text("id;name\ns1;Ғафур Ҷӯраев\n", encoding="utf-8")
    toml = folder / "etc" / "lab.toml"
    places = {"root": folder / "srv", "run": folder / "run", "stick": folder / "stick"}
    toml.write_text(TOML.format(homes=str(homes).lower(), keep=keep, port=port, **places))
    return read_lab(toml)
