"""`ustod bundle`: the whole platform on a stick."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autograder.errors import UstodError

if TYPE_CHECKING:
    from autograder.offline.bundle.build import Built, Wish

app = typer.Typer(help="The whole platform on a stick: make it, check it, install it, update it.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle's folder, its file, or a piece of it.")]
_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3}


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", text.strip().upper())
    if match is None or float(match[1]) <= 0:
        raise typer.BadParameter("give a size such as 4000M or 4G", param_hint="--split")
    return int(float(match[1]) * _UNITS[match[2]])


@app.command()
def build(
    out: Annotated[Path, typer.Option("--out", help="A folder for a stick, or one file that ends in .pyz.")],
    units: Annotated[str | None, typer.Option(metavar="u04,u07…", help="Only these units; all without it.")] = None,
    lang: Annotated[
        str, typer.Option("--lang", metavar="tg,ru…", help="Languages; the course opens in the first.")
    ] = "en",
    extras: Annotated[
        str, typer.Option("--with", metavar="lab,models:small|all|none", help="The lab server; which models.")
    ] = "models:small",
    platforms: Annotated[
        str | None, typer.Option("--platform", metavar="NAME,…", help="Kinds of machine; this one without it.")
    ] = None,
    pythons: Annotated[
        str | None, typer.Option("--python", metavar="3.11,…", help="Versions of Python; this one without it.")
    ] = None,
    split: Annotated[str | None, typer.Option(metavar="SIZE", help="Cut into pieces of SIZE, such as 4000M.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a bundle: packages, course, data and models, with an installer that needs Python and nothing else.

    Run it in a checkout of the project. What it brings is kept, so that a run that was cut short goes on.
    """
    from autograder.offline.bundle.build import Recipe, default_cache, here, this_python
    from autograder.offline.bundle.build import build as make
    from autograder.offline.bundle.project import TOP

    wish = _wish(out, units, lang, extras, platforms or here(), pythons or this_python(), split)
    with _bar() as listener:
        built = make(wish, Recipe(TOP, default_cache()), listener)
    if as_json:
        parts = {part: {"files": files, "bytes": size} for part, (files, size) in built.parts.items()}
        typer.echo(json.dumps({"id": built.id, "out": str(out), "bytes": built.size, "parts": parts}))
    else:
        _report(built, out)


def _wish(
    out: Path, units: str | None, lang: str, extras: str, platforms: str, pythons: str, split: str | None
) -> Wish:
    """What the options mean; wrong ones are wrong usage."""
    from autograder.offline.bundle.build import LANGUAGES, MODELS, Wish
    from autograder.offline.bundle.targets import PLATFORMS

    models, with_lab = "small", False
    for extra in _listed(extras):
        kind, _, which = extra.partition(":")
        if extra == "lab":
            with_lab = True
        elif kind == "models" and which in MODELS:
            models = which
        else:
            raise typer.BadParameter(
                f"{extra} is neither lab nor models:small, models:all, models:none", param_hint="--with"
            )
    for name, given, known in (("--lang", lang, LANGUAGES), ("--platform", platforms, PLATFORMS)):
        for value in _listed(given):
            if value not in known:
                raise typer.BadParameter(f"no {value}: choose from {', '.join(known)}", param_hint=name)
    for python in _listed(pythons):
        if not re.fullmatch(r"3\.(1[1-9]|[2-9]\d)", python):
            raise typer.BadParameter(f"no {python}: Ustod needs 3.11 or newer", param_hint="--python")
    if out.suffix and out.suffix != ".pyz":
        raise typer.BadParameter("name a folder, or a file that ends in .pyz", param_hint="--out")
    piece = _bytes(split) if split is not None else None
    if piece is not None and out.suffix:
        raise typer.BadParameter("name a folder for the pieces", param_hint="--out")
    return Wish(
        *(out, _listed(platforms), _listed(pythons), _listed(units) or None, _listed(lang) or ("en",)),
        models=models,
        with_lab=with_lab,
        piece=piece,
    )


def _report(built: Built, out: Path) -> None:
    from rich.table import Table

    from autograder.offline.bundle.contents import PARTS
    from autograder.terminal import terminal

    table = Table("part", "files", "MB", box=None, pad_edge=False)
    for part, (files, size) in built.parts.items():
        table.add_row(PARTS[part], str(files), f"{size / 1e6:.1f}")
    table.add_row("all", str(sum(files for files, _ in built.parts.values())), f"{built.size / 1e6:.1f}")
    terminal().print(table)
    typer.echo(f"{out}: bundle {built.id[:12]}")


@contextmanager
def _bar() -> Iterator[Any]:
    """A listener that draws one bar for the step under way."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from autograder.offline.bundle.build import Listener
    from autograder.terminal import terminal

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=terminal(stderr=True)) as progress:

        class Bars(Listener):
            def __init__(self) -> None:
                self._tasks: dict[str, Any] = {}

            def step(self, text: str, done: int, total: int) -> None:
                if text not in self._tasks:
                    self._tasks[text] = progress.add_task(text)
                progress.update(self._tasks[text], completed=done, total=total)

            def note(self, text: str) -> None:
                progress.console.print(text, markup=False)

        yield Bars()


@app.command()
def verify(bundle: BundlePath, as_json: AsJson = False) -> None:
    """Read every file of a bundle; name each that is damaged, missing, or not part of it, and exit 1."""
    from autograder.offline.bundle import installer

    with _sentences(), _bar() as listener:
        opened = installer.Bundle(installer.open_source(bundle))
        total = sum(opened.files[path]["size"] for path in opened.carried)
        faults = opened.verify(lambda done: listener.step("reading", done, total))
    if as_json:
        typer.echo(json.dumps({"id": opened.id, "base": opened.base, "faults": faults}, ensure_ascii=False))
    else:
        for fault in faults:
            typer.echo(fault, err=True)
    if faults:
        raise UstodError(f"{bundle} has {len(faults)} faults: copy it again from where you have it.")
    if not as_json:
        typer.echo(f"{opened.name}: every file is as it was made.")


@app.command()
def install(
    bundle: BundlePath,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Where; your programs' folder without it.")
    ] = None,
    lang: Annotated[str | None, typer.Option("--lang", help="Language of the messages and of the course.")] = None,
    assets: Annotated[bool, typer.Option("--assets/--no-assets", help="Make data and models ready too.")] = True,
) -> None:
    """Install a bundle, or bring an installation up to date with a bundle or an update. No network is used."""
    from autograder.offline.bundle import installer

    with _sentences():
        source = installer.open_source(bundle)
        language = lang or installer.preferred_language(installer.Bundle(source).manifest)
        place = (folder or installer.default_folder()).absolute()
        installer.install(source, place, language, lambda text: typer.echo(text), assets=assets)


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="The bundle that students have, or its manifest.json alone.")],
    new: Annotated[Path, typer.Argument(help="The bundle of now.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write; its name ends in .pyz.")],
    as_json: AsJson = False,
) -> None:
    """Write an update: one small file that brings an installation of OLD to NEW."""
    from autograder.offline.bundle.diff import diff as make

    update = make(old, new, out)
    if as_json:
        typer.echo(json.dumps(vars(update)))
    else:
        size = f"{update.size / 1e6:.2f} MB"
        typer.echo(f"{out}: {size}, {len(update.carried)} files, from bundle {update.base[:12]} to {update.id[:12]}")


@app.command()
def apply(
    update: Annotated[Path, typer.Argument(help="The update.")],
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Where Ustod is installed.")] = None,
) -> None:
    """Bring an installation up to date. Your notebooks are not touched; the next `ustod lab` shows what is new."""
    from autograder.offline.bundle import installer

    with _sentences():
        source = installer.open_source(update)
        if installer.Bundle(source).base is None:
            raise UstodError(f"{update} is a whole bundle and no update: use `ustod bundle install`.")
        place = (folder or installer.default_folder()).absolute()
        language = installer.preferred_language(installer.Bundle(source).manifest)
        installer.install(source, place, language, lambda text: typer.echo(text))


@contextmanager
def _sentences() -> Iterator[None]:
    """What the installer refuses is told like every other refusal."""
    from autograder.offline.bundle.installer import BundleError

    try:
        yield
    except BundleError as error:
        raise UstodError(str(error)) from None
