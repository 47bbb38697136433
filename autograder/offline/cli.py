"""`ustod assets`: list, fetch, verify."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from autograder.offline.manifest import Asset
    from autograder.offline.store import Roots, State

app = typer.Typer(
    help="Data and models of the course: what is here, what is missing, bringing it.", no_args_is_help=True
)

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]…", help="Repository ids such as ustod/udhr; all if none.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def _size(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 9.5e5 else f"{max(1, round(count / 1e3))} kB"


def _chosen(names: list[str] | None, units: str | None = None) -> list[Asset]:
    """The assets meant; a name that none has is wrong usage (exit 2)."""
    from autograder.offline import manifest

    assets = manifest.load()
    known = {asset.name for asset in assets}
    for name in names or ():
        if name not in known:
            raise typer.BadParameter(f"no asset is called {name}: choose from {', '.join(sorted(known))}.")
    return manifest.select(assets, names or (), [unit.strip() for unit in (units or "").split(",") if unit.strip()])


def _records(assets: list[Asset], roots: Roots) -> list[dict[str, object]]:
    from autograder.offline.store import Receipt, state

    records: list[dict[str, object]] = []
    for asset in assets:
        receipt = Receipt.read(roots.receipt(asset))
        records.append(
            {
                "name": asset.name,
                "kind": asset.kind,
                "title": asset.title,
                "licence": asset.licence,
                "units": asset.units,
                "client": asset.client,
                "state": state(asset, roots).value,
                "download": asset.download,
                "size": receipt.size if receipt is not None else asset.installed,
                "revision": receipt.revision if receipt is not None else None,
            }
        )
    return records


_COLOURS = {
    "ready": "[green]ready[/]",
    "absent": "[dim]absent[/]",
    "damaged": "[red]damaged[/]",
    "outdated": "[yellow]outdated[/]",
}


@app.command("list")
def list_assets(as_json: AsJson = False) -> None:
    """Show every asset: what it is, its size and licence, whether it is here, and which units need it."""
    import json

    from rich.table import Column, Table

    from autograder.offline.store import Roots
    from autograder.terminal import terminal

    assets = _chosen(None)
    records = _records(assets, Roots.of_user())
    if as_json:
        typer.echo(json.dumps(records, ensure_ascii=False, indent=1))
        return
    name = Column("name", no_wrap=True)
    kind, size, state = (Column(title, no_wrap=True) for title in ("kind", "size", "state"))
    table = Table(name, kind, size, state, "licence", "needed by", box=None, pad_edge=False)
    for asset, record in zip(assets, records, strict=True):
        told = _COLOURS[str(record["state"])]
        needed = " ".join(asset.units)
        table.add_row(asset.name, asset.kind, _size(int(str(record["size"]))), told, asset.licence, needed)
    terminal().print(table)
    if any(record["state"] != "ready" for record in records):
        typer.echo("What is not ready: `ustod assets fetch`, or `ustod assets fetch NAME`.")


@app.command("fetch")
def fetch_assets(
    names: Names = None,
    units: Annotated[str | None, typer.Option(metavar="u04,u07…", help="Only what these units need.")] = None,
) -> None:
    """Bring what is absent, damaged or outdated into the Hugging Face cache; what is ready is left alone.

    Packages found in a folder that USTOD_PACKAGES names are used before any network is asked.
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
    from rich.table import Column

    from autograder.offline.fetch import Listener, fetch
    from autograder.offline.store import Roots
    from autograder.terminal import terminal

    class Bars(Listener):
        def __init__(self, progress: Progress) -> None:
            self._progress = progress
            self._tasks: dict[str, TaskID] = {}

        def progress(self, asset: Asset, doing: str, done: int, total: int) -> None:
            if asset.name not in self._tasks:
                self._tasks[asset.name] = self._progress.add_task(asset.name, doing=doing)
            self._progress.update(self._tasks[asset.name], doing=doing, completed=min(done, total), total=total)

        def note(self, text: str) -> None:
            self._progress.console.print(text, markup=False)

    console = terminal(stderr=True)
    columns = (
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[doing]}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=8),
        DownloadColumn(table_column=Column(no_wrap=True)),
    )
    assets = _chosen(names, units)
    with Progress(*columns, console=console) as progress:
        outcomes = fetch(assets, Roots.of_user(), Bars(progress))
    for outcome in outcomes:
        match outcome.status:
            case "already":
                typer.echo(f"{outcome.asset.name}: ready already.")
            case "fetched":
                freed = f"; {_size(outcome.freed)} of packages removed" if outcome.freed else ""
                typer.echo(f"{outcome.asset.name}: ready{freed}.")
            case "failed":
                typer.echo(outcome.message, err=True)
    if not outcomes:
        typer.echo("No asset is needed by these units.")
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(1)


@app.command("verify")
def verify_assets(names: Names = None, as_json: AsJson = False) -> None:
    """Read every file of the assets that are here and compare it with the receipt; exit 1 where one is damaged."""
    import json

    from autograder.offline.store import Receipt, Roots, State, damage

    roots = Roots.of_user()
    results: list[tuple[Asset, State, list[str]]] = []
    for asset in _chosen(names):
        receipt = Receipt.read(roots.receipt(asset))
        if receipt is None:
            results.append((asset, State.ABSENT, []))
            continue
        bad = [str(path) for path in damage(receipt, roots, thorough=True)]
        current = receipt.fingerprint == asset.fingerprint()
        results.append((asset, State.DAMAGED if bad else State.READY if current else State.OUTDATED, bad))
    if as_json:
        records = [{"name": asset.name, "state": state.value, "damaged": bad} for asset, state, bad in results]
        typer.echo(json.dumps(records, ensure_ascii=False, indent=1))
    else:
        for asset, state, bad in results:
            typer.echo(_verdict(asset, state, bad), err=state is State.DAMAGED)
    if any(state is State.DAMAGED or (names and state is State.ABSENT) for _, state, _ in results):
        raise typer.Exit(1)


def _verdict(asset: Asset, state: State, bad: list[str]) -> str:
    mend = f"`ustod assets fetch {asset.name}`"
    if bad:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        return f"{asset.name} is damaged ({bad[0]}{more} changed or gone since it was fetched): repair it with {mend}."
    if state.value == "outdated":
        return f"{asset.name}: whole, but from an older list of assets; renew it with {mend}."
    if state.value == "absent":
        return f"{asset.name}: absent; bring it with {mend}."
    return f"{asset.name}: ready, every file as it was fetched."
