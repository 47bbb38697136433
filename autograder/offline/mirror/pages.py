"""Pages for people: what the hub has, cards, files, versions. They need no script and ask no other server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup

from autograder.languages import NAMES, best_language
from autograder.offline.mirror import card, facts
from autograder.offline.mirror.handling import Handler, Service
from autograder.offline.mirror.markdown import render
from autograder.offline.mirror.names import Refused, Repository
from autograder.offline.mirror.reading import ID, REVISION
from autograder.offline.mirror.store import MAIN
from autograder.offline.mirror.versions import Commit
from autograder.offline.mirror.words import TEMPLATES, words
from autograder.student.texts import LANGUAGES

COOKIE = "ustod-language"
#: Rows on a page of a listing, and on the first page.
ROWS, FIRST_ROWS = 50, 12
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_STYLE = (Path(__file__).parent / "static" / "mirror.css").read_bytes()
_templates = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(default=True), trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True)
class Row:
    """A repository as a listing shows it; `size` is that of its last version, in bytes."""

    repository: Repository
    date: str
    size: int
    licence: str
    summary: str


class Page(Handler):
    """A page in the language that its reader chose, or that their browser prefers."""

    async def prepare(self) -> None:
        """Nobody logs in here: pages show what everybody may see."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Vary", "Accept-Language, Cookie")
        self.set_header("Cache-Control", "no-cache")

    @property
    def language(self) -> str:
        """The reader's."""
        chosen = self.get_query_argument("lang", None)
        if chosen not in LANGUAGES:
            chosen = self.get_cookie(COOKIE)
        return best_language(chosen, self.request.headers.get("Accept-Language", ""), LANGUAGES)

    def show(self, template: str, **fields: Any) -> None:
        """Answer with `template`."""
        if self.get_query_argument("lang", None) in LANGUAGES:
            self.set_cookie(COOKIE, self.language, expires_days=365, samesite="Lax", httponly=True)
        say = words(self.language)
        rest = [(name, self.get_query_argument(name)) for name in self.request.query_arguments if name != "lang"]
        self.finish(
            _templates.get_template(template).render(
                say=say,
                language=self.language,
                languages={code: NAMES[code] for code in LANGUAGES},
                here=lambda **more: f"{self.request.path}?{urlencode(dict(rest) | more)}",
                size=lambda count: said_size(say, count),
                title=self.service.title,
                endpoint=self.address("").rstrip("/"),
                quote=lambda text: quote(text, safe="/"),
                **fields,
            )
        )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        say = words(self.language)
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        if status_code == 404:
            sentence = say("There is no such page here. It may be a model or data set that is not published yet.")
        elif isinstance(error, Refused):
            sentence = str(error)
        else:
            sentence = say("Something went wrong. Try again, and tell the administrator if it stays so.")
        self.show("error.html", sentence=sentence)

    def found(self, kind: str, search: str) -> list[Row]:
        """What everybody may see of that kind, with all words of `search` in its name, the last changed first."""
        wanted = search.lower().split()
        rows = [
            row_of(self.service, repository)
            for repository in self.store.all()
            if repository.kind == kind
            and all(word in repository.name.lower() for word in wanted)
            and self.service.published(repository)
        ]
        return sorted(rows, key=lambda row: row.date, reverse=True)


def row_of(service: Service, repository: Repository) -> Row:
    """A repository as a listing shows it."""
    head = service.head(repository)
    data = facts.card_data(service.store, head)
    size = sum({file.sha256: file.size for file in head.files.values()}.values())
    tags = [str(data[name]) for name in ("pipeline_tag", "library_name") if data.get(name)]
    languages = data.get("language")
    tags += [str(one) for one in languages] if isinstance(languages, list) else [str(languages)] if languages else []
    return Row(repository, head.date, size, card.licence(data), " · ".join(tags[:6]))


def said_size(say: Any, count: int) -> str:
    """A number of bytes as people say it."""
    if count >= 1e9:
        return str(say("{number} GB", number=f"{count / 1e9:.1f}"))
    if count >= 1e6:
        return str(say("{number} MB", number=f"{count / 1e6:.1f}"))
    return str(say("{number} kB", number=f"{count / 1e3:.1f}"))


class Front(Page):
    """What the hub is, and what came last."""

    async def get(self) -> None:
        models, datasets = await self.disk(self.found, "model", ""), await self.disk(self.found, "dataset", "")
        self.show(
            "front.html",
            models=models[:FIRST_ROWS],
            datasets=datasets[:FIRST_ROWS],
            model_count=len(models),
            dataset_count=len(datasets),
        )


class List(Page):
    """Models or data sets, searched."""

    async def get(self, kinds: str) -> None:
        search = self.get_query_argument("search", "")[:100]
        text = self.get_query_argument("page", "1")
        number = max(int(text), 1) if text.isdecimal() and len(text) < 6 else 1
        rows = await self.disk(self.found, kinds.removesuffix("s"), search)
        shown = rows[(number - 1) * ROWS : number * ROWS]
        more = len(rows) > number * ROWS
        self.show("list.html", kinds=kinds, found=shown, search=search, count=len(rows), number=number, more=more)


class Card(Page):
    """A model or data set."""

    async def get(self, kinds: str | None, name: str) -> None:
        self.show("card.html", **await self.disk(self._said, kinds or "models", name))

    def _said(self, kinds: str, name: str) -> dict[str, Any]:
        repository = self.repository(kinds, name)
        head, state = self.service.head(repository), self.store.state(repository)
        data, text = facts.card_data(self.store, head), facts.card_text(self.store, head)
        base = f"/{repository.path}/resolve/{head.id}"
        return {
            "repository": repository,
            "head": head,
            "owner": state.owner,
            "row": row_of(self.service, repository),
            "tags": card.tags(data, repository.kind)[:30],
            "text": Markup(render(card.split(text)[1], base)),
            "versions": sum(1 for _ in self.store.history(repository, head.id)),
            "loads": "config.json" in head.files and repository.kind == "model",
        }


class Files(Page):
    """The files of one version."""

    async def get(self, kinds: str | None, name: str, revision: str = MAIN, folder: str = "") -> None:
        self.show("files.html", **await self.disk(self._said, kinds or "models", name, revision, folder or ""))

    def _said(self, kinds: str, name: str, revision: str, folder: str) -> dict[str, Any]:
        repository = self.repository(kinds, name)
        commit = self._version(repository, revision)
        folder = folder.strip("/")
        state = self.store.state(repository)
        return {
            "repository": repository,
            "revision": revision,
            "commit": commit,
            "folder": folder,
            "parent": folder.rpartition("/")[0],
            "entries": facts.tree(commit, folder, recursive=False),
            "names": sorted({*state.branches, *state.tags}),
        }

    def _version(self, repository: Repository, revision: str) -> Commit:
        return self.store.version(repository, revision)


class Versions(Page):
    """How a version came about."""

    async def get(self, kinds: str | None, name: str, revision: str = MAIN) -> None:
        repository = await self.disk(self.repository, kinds or "models", name)
        commits = await self.disk(lambda: list(self.store.history(repository, revision)))
        self.show("versions.html", repository=repository, revision=revision, commits=commits[:500])


class ToFile(Page):
    """Other hubs' addresses of a file lead to the file itself."""

    def get(self, kinds: str | None, name: str, revision: str, path: str) -> None:
        prefix = "datasets/" if kinds else ""
        self.redirect(f"/{prefix}{name}/resolve/{quote(revision, safe='')}/{quote(path)}")


class Style(Page):
    """The looks of the pages."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/css; charset=utf-8")
        self.set_header("Cache-Control", "public, max-age=3600")
        self.finish(_STYLE)


class NoPage(Page):
    """For addresses that there are none of."""

    def get(self) -> None:
        raise Refused(404, "There is no such page")


ROUTES: list[tuple[str, type[Handler]]] = [
    (r"/", Front),
    (r"/static/mirror\.css", Style),
    (r"/(models|datasets)/?", List),
    (rf"/(?:(datasets)/)?{ID}/tree/{REVISION}(?:/(.*))?", Files),
    (rf"/(?:(datasets)/)?{ID}/commit/{REVISION}", Files),
    (rf"/(?:(datasets)/)?{ID}/commits/{REVISION}", Versions),
    (rf"/(?:(datasets)/)?{ID}/blob/{REVISION}/(.+)", ToFile),
    (rf"/(?:(datasets)/)?{ID}", Card),
]
