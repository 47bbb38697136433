"""`ustod mirror`: a campus hub for models and data sets."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from autograder.errors import UstodError

if TYPE_CHECKING:
    from autograder.offline.mirror.names import Repository
    from autograder.offline.mirror.store import Store

app = typer.Typer(
    help="A campus hub for models and data sets: clients reach it through HF_ENDPOINT.", no_args_is_help=True
)

StoreFolder = Annotated[
    Optional[Path],
    typer.Option("--store", envvar="USTOD_MIRROR", help="The folder that holds the hub; ~/ustod-mirror without one."),
]


def _folder(given: Path | None) -> Path:
    return (given or Path.home() / "ustod-mirror").expanduser().resolve()


def _store(given: Path | None) -> Store:
    from autograder.offline.mirror.store import Store

    folder = _folder(given)
    try:
        return Store(folder)
    except OSError as error:
        sentence = f"{folder} cannot hold the hub ({error.strerror}): name another folder with --store."
        raise UstodError(sentence) from None


@app.command()
def serve(
    store: StoreFolder = None,
    host: Annotated[str, typer.Option(help="The address to answer on; 0.0.0.0 for the whole campus.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8090,
    processes: Annotated[int, typer.Option(min=1, help="Processes that answer.")] = os.cpu_count() or 1,
    lab: Annotated[
        str, typer.Option(metavar="URL", help="The API of the lab's JupyterHub, whose tokens are good here too.")
    ] = "",
    account_quota: Annotated[float, typer.Option(min=0, help="GB that one account may publish, all versions.")] = 5,
    repository_quota: Annotated[float, typer.Option(min=0, help="GB of one model or data set, all versions.")] = 2,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="Believe the X-Forwarded headers of a proxy in front of the hub.")
    ] = False,
) -> None:
    """Answer the clients until Ctrl-C."""
    import socket

    from autograder.offline.mirror.handling import Quota, Service
    from autograder.offline.mirror.server import listen, run
    from autograder.offline.mirror.tickets import secret
    from autograder.offline.mirror.tokens import Anyone, CampusTokens, LabTokens

    opened = _store(store)
    sockets = listen(host, port)
    secret(opened)
    opened.clean()
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host
    typer.echo(f"The hub has {len(opened.all())} models and data sets. For its users: HF_ENDPOINT=http://{name}:{port}")

    def make() -> Service:
        campus = CampusTokens(opened.root / "tokens.json")
        quota = Quota(account=int(account_quota * 1e9), repository=int(repository_quota * 1e9))
        return Service(opened, Anyone(campus, LabTokens(lab)) if lab else campus, quota)

    raise typer.Exit(run(make, sockets, processes, behind_proxy))


@app.command()
def add(
    names: Annotated[
        Optional[list[str]],
        typer.Argument(metavar="ORG/NAME[@VERSION]", help="A data set is called datasets/ORG/NAME."),
    ] = None,
    store: StoreFolder = None,
    source: Annotated[str, typer.Option("--from", metavar="URL", help="The hub to bring them from.")] = "",
    include: Annotated[
        Optional[list[str]], typer.Option(help="Only files of such names, *.json say; may be repeated.")
    ] = None,
    cached: Annotated[
        bool, typer.Option("--cached", help="Take them from this machine's Hugging Face cache; all without a name.")
    ] = False,
) -> None:
    """Bring models and data sets into the hub. What was cut off goes on when the same command is given again."""
    if not names and not cached:
        raise typer.BadParameter("name a model or data set, or give --cached for all of this machine's cache.")
    opened = _store(store)
    with _room(opened):
        if cached:
            _add_cached(opened, names)
            return
        _add_from(opened, names or [], source, include or [])


def _add_from(opened: Store, names: list[str], source: str, include: list[str]) -> None:
    from huggingface_hub import constants, get_token

    from autograder.offline.mirror.upstream import Upstream
    from autograder.offline.mirror.upstream import add as bring

    endpoint = source or constants.ENDPOINT
    # The user's own token is for the hub of their settings, and for no other.
    upstream = Upstream(endpoint, (get_token() or "") if endpoint == constants.ENDPOINT else "")
    for name in names:
        plain, _, revision = name.partition("@")
        with _bar(plain) as progress:
            commit, brought = bring(opened, upstream, _repository(plain), revision or "main", include, progress)
        typer.echo(f"{plain}: {commit[:12]} is here; {brought / 1e6:.1f} MB were brought.")


def _add_cached(opened: Store, names: list[str] | None) -> None:
    from autograder.offline.mirror.cache import add_cached
    from autograder.offline.mirror.cache import cached as found
    from autograder.offline.store import Roots

    there = list(found(Roots.of_user().hub))
    wanted = set(names or ())
    for repository, folder in there:
        if not wanted or wanted & {repository.name, str(repository)}:
            new = add_cached(opened, repository, folder)
            typer.echo(f"{repository}: {'added' if new else 'here already'}")
    if missing := wanted - {name for repository, _ in there for name in (repository.name, str(repository))}:
        raise UstodError(f"The cache has no {', '.join(sorted(missing))}: fetch it first, or give its whole name.")


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="The account: letters and digits.")],
    store: StoreFolder = None,
    instructor: Annotated[bool, typer.Option("--instructor", help="May publish under every name.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="End all tokens of the account instead.")] = False,
) -> None:
    """Give out a token with which somebody may publish. It is shown this once; the hub keeps its hash."""
    from autograder.offline.mirror.tokens import CampusTokens

    tokens = CampusTokens(_store(store).root / "tokens.json")
    if revoke:
        typer.echo(f"{tokens.revoke(name)} tokens of {name} are ended.")
    else:
        typer.echo(f"The token of {name}, shown this once: {tokens.give(name, instructor)}")


@app.command("list")
def list_repositories(
    store: StoreFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
) -> None:
    """Show what the hub has: size with all versions, licence, and who published it."""
    import json

    from rich.table import Table

    from autograder.offline.mirror import card, facts
    from autograder.offline.mirror.handling import Service
    from autograder.offline.mirror.tokens import CampusTokens
    from autograder.terminal import terminal

    opened = _store(store)
    service = Service(opened, CampusTokens(opened.root / "tokens.json"))
    records = []
    for repository in opened.all():
        state, head = opened.state(repository), service.head(repository)
        records.append(
            {
                "kind": repository.kind,
                "name": repository.name,
                "version": head.id,
                "files": len(head.files),
                "size": sum(opened.contents(repository).values()),
                "licence": card.licence(facts.card_data(opened, head)),
                "owner": state.owner,
                "published": service.published(repository),
                "pickle": state.pickle,
            }
        )
    if as_json:
        typer.echo(json.dumps(records, ensure_ascii=False, indent=1))
        return
    table = Table("name", "kind", "MB", "files", "licence", "owner", "", box=None, pad_edge=False)
    for one in records:
        size = f"{int(str(one['size'])) / 1e6:.1f}"
        seen = "" if one["published"] else "not visible to others"
        table.add_row(
            *(str(one["name"]), str(one["kind"]), size, str(one["files"]), str(one["licence"]), str(one["owner"]), seen)
        )
    terminal().print(table)


@app.command()
def admit(
    name: Annotated[str, typer.Argument(metavar="ORG/NAME", help="A data set is called datasets/ORG/NAME.")],
    store: StoreFolder = None,
    no: Annotated[bool, typer.Option("--no", help="Forbid them again.")] = False,
) -> None:
    """Allow pickles in one repository: whoever loads them runs what their author wanted."""
    from dataclasses import replace

    opened = _store(store)
    repository = _present(opened, name)
    with opened.locked(repository):
        opened.write_state(repository, replace(opened.state(repository), pickle=not no))
    typer.echo(f"{repository}: pickles are {'refused' if no else 'allowed'} from now on.")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="ORG/NAME", help="A data set is called datasets/ORG/NAME.")],
    store: StoreFolder = None,
) -> None:
    """Remove a model or data set, and the contents that no other has."""
    opened = _store(store)
    repository = _present(opened, name)
    opened.remove(repository)
    freed = opened.clean()
    typer.echo(f"{repository} is removed; {freed / 1e6:.1f} MB are free again.")


def _present(opened: Store, name: str) -> Repository:
    repository = _repository(name)
    if not opened.has(repository):
        raise UstodError(f"The hub has no {repository}: `ustod mirror list` shows what there is.")
    return repository


def _repository(name: str) -> Repository:
    from autograder.offline.mirror.names import Repository

    kind = "dataset" if name.startswith("datasets/") else "model"
    return Repository.checked(kind, name.removeprefix("datasets/").removeprefix("models/"))


@app.command("export")
def export_to_stick(
    stick: Annotated[Path, typer.Argument(metavar="FOLDER", help="The stick's folder.")],
    names: Annotated[
        Optional[list[str]], typer.Argument(metavar="[ORG/NAME]", help="All that everybody may see without a name.")
    ] = None,
    store: StoreFolder = None,
) -> None:
    """Write models and data sets to a stick, for another campus's hub. What is on it already is not written again."""
    from autograder.offline.mirror.handling import Service
    from autograder.offline.mirror.stick import export
    from autograder.offline.mirror.tokens import CampusTokens

    opened = _store(store)
    if not stick.is_dir():
        raise UstodError(f"{stick} is no folder: name the folder of the stick.")
    service = Service(opened, CampusTokens(opened.root / "tokens.json"))
    chosen = [_present(opened, name) for name in names or ()]
    chosen = chosen or [repository for repository in opened.all() if service.published(repository)]
    with _bar("export") as progress:
        written = export(opened, chosen, stick, progress)
    typer.echo(f"{len(chosen)} models and data sets are on the stick; {written / 1e6:.1f} MB were written.")


@app.command("import")
def import_from_stick(
    stick: Annotated[Path, typer.Argument(metavar="FOLDER", help="The stick's folder.")],
    names: Annotated[Optional[list[str]], typer.Argument(metavar="[ORG/NAME]", help="All without a name.")] = None,
    store: StoreFolder = None,
) -> None:
    """Take models and data sets from a stick. Each is taken whole or not at all."""
    from autograder.offline.mirror.stick import carried, take

    opened = _store(store)
    wanted = {_repository(name) for name in names or ()}
    found = [one for one in carried(stick) if not wanted or one.repository in wanted]
    if missing := wanted - {one.repository for one in found}:
        raise UstodError(f"The stick does not have {', '.join(map(str, sorted(missing)))}.")
    said = {
        "added": "added",
        "newer": "newer than what was here",
        "here already": "here already",
        "apart": "changed here and there: what the stick has is on a branch of its own",
    }
    faults = []
    with _room(opened):
        for one in found:
            try:
                with _bar(str(one.repository)) as progress:
                    typer.echo(f"{one.repository}: {said[take(opened, one, stick, progress)]}")
            except UstodError as error:
                faults.append(str(error))
    if faults:
        raise UstodError(" ".join(faults))


@contextmanager
def _room(opened: Store) -> Iterator[None]:
    """A full disk is told in a sentence; whatever came before is kept."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sentence = f"The disk that holds {opened.root} is full; what is here stays: make room and run this again."
        raise UstodError(sentence) from None


@contextmanager
def _bar(name: str) -> Iterator[Callable[[str, int, int], None]]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from autograder.terminal import terminal

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=terminal(stderr=True), transient=True) as progress:
        task = progress.add_task(name)
        yield lambda what, done, total: progress.update(task, completed=done, total=total)
