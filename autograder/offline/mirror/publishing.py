"""Publishing: from what a client sends to a version that everybody gets, or to a sentence that says why not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from autograder.offline.mirror import card, facts
from autograder.offline.mirror.admission import NotAdmitted, admit
from autograder.offline.mirror.blobs import Content, Writer, describe
from autograder.offline.mirror.handling import Quota, Service
from autograder.offline.mirror.large import is_large
from autograder.offline.mirror.names import Missing, Refused, Repository, check_reference
from autograder.offline.mirror.operations import Add, AddLarge, Delete, Header, Operation, read_operations
from autograder.offline.mirror.store import MAIN, Store, owner_name
from autograder.offline.mirror.tokens import Caller
from autograder.offline.mirror.versions import Commit, File, State

#: Bytes that a file takes in the list of a version, about.
_LISTED = 150
#: Branches and tags of one repository.
_MOST_NAMES = 1000


@dataclass
class _Changes:
    """What one version changes: files by path, of new ones the content and where it waits; and what it removes."""

    header: Header | None = None
    files: dict[str, Content] = field(default_factory=dict)
    waiting: dict[str, Path] = field(default_factory=dict)
    adds: dict[str, Add] = field(default_factory=dict)
    deletes: list[Delete] = field(default_factory=list)


def create(store: Store, repository: Repository, caller: Caller, private: bool) -> Commit:
    """Make an empty repository of the caller's."""
    first = Commit.new(None, caller.name, "initial commit", "", {})
    store.create(repository, State(branches={MAIN: first.id}, owner=caller.name, private=private), first)
    return first


def commit(service: Service, repository: Repository, branch: str, sent: Path, caller: Caller) -> Commit:
    """Make the version that the file `sent` describes and let `branch` name it; returns it.

    Without a wish for a parent it is made of what the branch names by then, so that two at once both count.

    Raises:
        Refused: if it is not to be published, or the parent that it names is no longer the last version.
    """
    store = service.store
    branch = branch.removeprefix("refs/heads/")
    if branch not in store.state(repository).branches:
        store.resolve(repository, branch)
        raise Refused(400, f"{branch} is no branch: commits go to branches")
    with ExitStack() as stack:
        changes = _collect(store, repository, read_operations(sent, store.blobs), caller, stack)
        if changes.header is None:
            raise Refused(400, "The commit has no header")
        _admit_all(store, repository, changes)
        stack.enter_context(store.in_use())
        stack.enter_context(store.locked(repository))
        state = store.state(repository)
        head = store.commit(repository, state.branches[branch])
        if changes.header.parent not in (None, head.id):
            raise Refused(412, "The branch was updated since you opened this page. Please refresh and try again.")
        files = _applied(head, changes)
        if files == head.files:
            return head
        _check_quota(store, repository, state, service.quota, files, caller)
        for path, add in changes.adds.items():
            if path in changes.files:
                add.writer.keep()
        for path, waits in changes.waiting.items():
            if not store.blobs.has(changes.files[path].sha256):
                store.blobs.place(waits, changes.files[path].sha256)
        made = Commit.new(head.id, caller.name, changes.header.title, changes.header.message, files)
        store.add_commit(repository, made)
        store.write_state(repository, replace(state, branches={**state.branches, branch: made.id}))
    for waits in changes.waiting.values():
        waits.unlink(missing_ok=True)
    return made


def staged(store: Store, caller: Caller, sha256: str) -> Path:
    """Where a large file of that name waits for the caller's commit, or would wait."""
    return store.staged / owner_name(caller.name) / sha256


def stage(store: Store, caller: Caller, writer: Writer) -> None:
    """What came waits for the caller's commit."""
    place = staged(store, caller, writer.sha256)
    place.parent.mkdir(exist_ok=True)
    writer.move(place)


def check_waiting(service: Service, caller: Caller, size: int) -> None:
    """See whether the caller may send a large file of `size` bytes.

    Raises:
        Refused: if they may not.
    """
    quota = service.quota
    if caller.instructor:
        return
    taken = waiting_size(service.store, caller) + used_by(service.store, caller.name)
    if size > quota.repository or taken + size > quota.account:
        raise Refused(403, f"{_megabytes(size)} are more than {caller.name} may still publish; ask an instructor")


def waiting_size(store: Store, caller: Caller) -> int:
    """Bytes of all large files that wait for the caller's commits."""
    folder = store.staged / owner_name(caller.name)
    return sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0


def used_by(store: Store, name: str) -> int:
    """Bytes of all repositories of the account `name`."""
    mine = [repository for repository in store.all() if store.state(repository).owner == name]
    return sum(store.size(repository) for repository in mine)


def change_reference(store: Store, repository: Repository, kind: str, name: str, commit_id: str | None) -> None:
    """Let the branch or tag (`kind`) `name` name a version, or without one nothing any longer.

    Raises:
        Refused: if there is one of that name already, or none; or if it is the main branch.
    """
    with store.locked(repository):
        state = store.state(repository)
        names = dict(state.branches if kind == "branches" else state.tags)
        if commit_id is None:
            if name not in names:
                raise Missing(f"Invalid rev id: {name}", "RevisionNotFound")
            if kind == "branches" and name == MAIN:
                raise Refused(403, "Cannot delete refs/heads/main: it is what is shown first")
            del names[name]
        else:
            if len(names) >= _MOST_NAMES:
                raise Refused(403, f"A repository has at most {_MOST_NAMES} {kind} here")
            if check_reference(name) in names:
                raise Refused(409, f"Reference refs/{'heads' if kind == 'branches' else 'tags'}/{name} already exists")
            names[name] = commit_id
        changed = replace(state, branches=names) if kind == "branches" else replace(state, tags=names)
        store.write_state(repository, changed)


def squash(store: Store, repository: Repository, branch: str, title: str, caller: Caller) -> None:
    """Forget how the last version of `branch` came about."""
    with store.locked(repository):
        state = store.state(repository)
        if branch not in state.branches:
            raise Missing(f"Invalid rev id: {branch}", "RevisionNotFound")
        made = Commit.new(None, caller.name, title, "", store.commit(repository, state.branches[branch]).files)
        store.add_commit(repository, made)
        store.write_state(repository, replace(state, branches={**state.branches, branch: made.id}))


def _collect(
    store: Store, repository: Repository, operations: Iterator[Operation], caller: Caller, stack: ExitStack
) -> _Changes:
    changes = _Changes()
    kept = store.contents(repository)
    for operation in operations:
        match operation:
            case Header():
                changes.header = operation
            case Add(path, writer):
                stack.callback(writer.discard)
                writer.flush()
                changes.adds[path] = operation
                changes.files[path] = describe(writer.path)
                changes.waiting.pop(path, None)
            case AddLarge(path, sha256):
                waits = staged(store, caller, sha256)
                if waits.is_file():
                    changes.waiting[path] = waits
                elif sha256 not in kept or not store.blobs.has(sha256):
                    raise Refused(400, f"{path} was not sent: what it holds is not on the hub yet; upload it again")
                changes.files[path] = describe(waits if waits.is_file() else store.blobs.path(sha256))
                changes.adds.pop(path, None)
            case Delete():
                changes.deletes.append(operation)
    return changes


def _admit_all(store: Store, repository: Repository, changes: _Changes) -> None:
    allowed = store.state(repository).pickle
    places = {path: add.writer.path for path, add in changes.adds.items()} | changes.waiting
    for path, content in changes.files.items():
        place = places.get(path, store.blobs.path(content.sha256))
        try:
            admit(path, place, pickle=allowed)
        except NotAdmitted as error:
            if path in changes.waiting:
                place.unlink(missing_ok=True)
            raise Refused(403, str(error)) from None
        if path == "README.md" and content.size <= card.LONGEST:
            try:
                card.parse(card.split(place.read_text("utf-8", "replace"))[0])
            except ValueError as error:
                raise Refused(400, f"The front matter of README.md cannot be read: {error}") from None


def _applied(head: Commit, changes: _Changes) -> dict[str, File]:
    files = dict(head.files)
    for delete in changes.deletes:
        gone = [path for path in files if path == delete.path and not delete.folder]
        # Clients that do not know which it is say that it is a file.
        gone = gone or [path for path in files if path.startswith(f"{delete.path}/")]
        if not gone and not any(path == delete.path for path in changes.files):
            kind = "folder" if delete.folder else "file"
            raise Missing(f"A {kind} with this name doesn't exist: {delete.path}", "EntryNotFound")
        for path in gone:
            del files[path]
    for path, content in changes.files.items():
        large = is_large(path, content.size)
        files[path] = File(content.sha256, content.size, content.oid, large)
    folders = {path[:end] for path in files for end, letter in enumerate(path) if letter == "/"}
    if both := folders & set(files):
        raise Refused(400, f"{min(both)} cannot be a file and a folder")
    return files


def _check_quota(
    store: Store, repository: Repository, state: State, quota: Quota, files: dict[str, File], caller: Caller
) -> None:
    if len(files) > quota.files:
        raise Refused(403, f"A repository has at most {quota.files} files here, and this one would have {len(files)}")
    if caller.instructor:
        return
    kept = store.contents(repository)
    new = {file.sha256: file.size for file in files.values() if file.sha256 not in kept}
    more = sum(new.values()) + _LISTED * len(files)
    size = store.size(repository) + more
    if size > quota.repository:
        raise Refused(
            403,
            f"{repository} would have {_megabytes(size)} with all its versions, and {_megabytes(quota.repository)} are "
            "allowed; ask an instructor",
        )
    if (used := used_by(store, state.owner) + more) > quota.account:
        raise Refused(
            403,
            f"{state.owner} would have {_megabytes(used)} on this hub, and {_megabytes(quota.account)} are allowed; "
            "delete what is no longer needed, or ask an instructor",
        )


def licence_missing(service: Service, repository: Repository) -> str:
    """What to tell somebody whose repository others cannot see; an empty text if they can."""
    head = service.head(repository)
    if service.published(repository) or card.licence(facts.card_data(service.store, head)) or not head.files:
        return ""
    return (
        f"Others cannot see {repository} yet: name a licence in the front matter of its README.md, for example "
        "'license: cc-by-4.0'."
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
