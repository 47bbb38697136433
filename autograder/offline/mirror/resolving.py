"""Files of versions, as clients fetch them and browsers show them."""

from __future__ import annotations

import mimetypes
from urllib.parse import quote

from autograder.offline.mirror.handling import Handler, may_change
from autograder.offline.mirror.names import Missing, Refused, Repository
from autograder.offline.mirror.sending import send_file
from autograder.offline.mirror.versions import Commit, File

#: Types of files that a browser may show: nothing that runs.
_SHOWN = {"image/png", "image/jpeg", "image/gif", "image/webp"}
_AS_TEXT = {"text/markdown", "text/csv", "application/json", "text/x-python", "application/toml", "application/yaml"}
_TEXT_NAMES = (".md", ".jsonl", ".toml", ".yaml", ".yml", ".txt", ".py", "LICENSE", ".gitattributes")


class Resolve(Handler):
    """One file of one version."""

    async def get(self, kinds: str | None, name: str, revision: str, path: str) -> None:
        repository, commit, file = await self.disk(self._file, kinds or "models", name, revision, path)
        self.set_header("X-Repo-Commit", commit.id)
        self.set_header("Content-Type", shown_as(path))
        self.set_header("Content-Disposition", f"inline; filename*=UTF-8''{_ascii(path.rpartition('/')[2])}")
        self.set_header("Content-Security-Policy", "default-src 'none'; sandbox")
        # Under a commit's own name a file never changes; a branch moves.
        fixed = revision == commit.id and self.service.published(repository) and not self.store.state(repository).gated
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if fixed else "no-cache")
        await send_file(self, self.store.blobs.path(file.sha256), file.etag, file.size)

    head = get

    def _file(self, kinds: str, name: str, revision: str, path: str) -> tuple[Repository, Commit, File]:
        repository = self.repository(kinds, name)
        must_read(self, repository)
        commit = self.store.version(repository, revision)
        if path not in commit.files:
            raise Missing(f"{path} does not exist at this revision", "EntryNotFound", {"X-Repo-Commit": commit.id})
        return repository, commit, commit.files[path]


def must_read(handler: Handler, repository: Repository) -> None:
    """Refuse strangers the files of a gated repository.

    Raises:
        Refused: to those who have no token.
    """
    state = handler.store.state(repository)
    if state.gated and handler.caller is None and not may_change(state, repository, handler.caller):
        sentence = f"Access to {repository.kind} {repository.name} is restricted: log in with a token of this hub"
        raise Refused(401, sentence, "GatedRepo")


def shown_as(path: str) -> str:
    """As what a browser gets a file: an image, plain text, or bytes to be saved; never a page that runs."""
    kind = mimetypes.guess_type(path)[0] or ""
    if kind in _SHOWN:
        return kind
    name = path.rpartition("/")[2]
    if kind.startswith("text/") or kind in _AS_TEXT or name.endswith(_TEXT_NAMES):
        return "text/plain; charset=utf-8"
    return "application/octet-stream"


def _ascii(name: str) -> str:
    return quote(name, safe="")
