"""The host's side: start a zygote, have it fork children, and follow each of them to its end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from autograder.errors import UstodError
from autograder.kernel import archive
from autograder.kernel.life import Child, Ending, Life, Twin, python
from autograder.kernel.limits import Limits
from autograder.kernel.sandbox import Sandbox

__all__ = ["STACK", "Child", "Ending", "Twin", "Zygote"]

#: What learners' notebooks import; a zygote imports it once.
STACK = (
    "numpy",
    "pandas",
    "matplotlib.pyplot",
    "torch",
    "transformers",
    "datasets",
    "IPython",
    "ipykernel.kernelapp",
    "autograder.student",
)


class Zygote:
    """A process with the stack imported, in a sandbox, that forks children. It is started when first needed.

    If it dies, or if packages are installed meanwhile, the next request starts another; so does one during which it
    is killed before it is ready. Safe to use from several threads.

    Args:
        sandbox: what can be seen from within; None for no sandbox at all.
        modules: what to import; ``module:attribute`` for what may be missing.
        paths: folders to import from before others; they can be read from within.
        twin: one that there is already, with all of the above; as long as it lives no other is started.
    """

    def __init__(
        self,
        sandbox: Sandbox | None,
        modules: Iterable[str] = STACK,
        paths: Iterable[Path] = (),
        twin: Twin | None = None,
    ) -> None:
        self._modules = list(modules)
        self._sandbox = sandbox
        self._paths = [path.resolve() for path in paths]
        self._lock = threading.Lock()
        self._twin = twin
        self._process: Life | None = None

    @property
    def pid(self) -> int | None:
        """The process of this machine that holds the zygote; None if it does not run."""
        return None if self._process is None or self._process.is_dead else self._process.pid

    @property
    def threads(self) -> int:
        """How many threads it has beside its own: 0, unless a module that it imported starts some."""
        return 0 if self._process is None else self._process.threads

    def start(self) -> None:
        """Start it now, if it does not run, and wait until the stack is imported.

        Raises:
            UstodError: if it cannot be started.
        """
        self._ready()

    def twin(self) -> Twin:
        """Another zygote, forked from this one, for a `Zygote` in another process. This one is started, if need be."""
        return self._current().twin()

    def fork(
        self,
        call: str,
        *args: Any,
        fds: Sequence[int] = (),
        limits: Limits | None = None,
        files: Path | None = None,
        ignore: Callable[[Path], bool] = lambda path: False,
        hidden: Iterable[Path] = (),
        console: IO[Any] | None = None,
        results: IO[Any] | None = None,
    ) -> Child:
        """Have a child call the function `call`, written ``module:function``, with its copies of `fds`, then `args`.

        The child is shut in and has its limits before the function is called; the integer that this returns is the
        exit code.

        Args:
            args: plain data.
            fds: open files; the child has copies, the caller still owns these.
            limits: what it may use.
            files: a folder whose regular files are copied to the working folder.
            ignore: says which of those to leave out.
            hidden: folders of the sandbox that are empty for this child.
            console: a file for standard output and standard error, which are thrown away otherwise.
            results: a file that receives the working folder at the end; see `archive.unpack_results`.

        Raises:
            UstodError: if the zygote cannot be started, or the child not be shut in.
        """
        limits = limits or Limits()
        special: dict[str, int] = {}
        with contextlib.ExitStack() as stack:
            if files is not None:
                special["files"] = stack.enter_context(archive.pack(files, ignore, limits)).fileno()
            if console is not None:
                special["console"] = console.fileno()
            if results is not None:
                special["results"] = results.fileno()
            message = {"call": call, "args": args, "limits": limits.plain(), "special": list(special)}
            message["hidden"] = [str(folder) for folder in hidden]
            child = self._ready().fork(message, [*special.values(), *fds], limits)
        child.wait_for_birth()
        return child

    def close(self) -> None:
        """End it and all its children."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.close()

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ready(self) -> Life:
        life = self._current()
        try:
            life.wait_until_ready()
        except UstodError:
            if not life.was_killed:
                raise
            life = self._current()
            life.wait_until_ready()
        return life

    def _current(self) -> Life:
        with self._lock:
            if self._process is None and self._twin is not None:
                self._process, self._twin = Life(self._modules, self._sandbox, self._paths, self._twin), None
            if self._process is not None and (self._process.is_dead or self._process.python != python()):
                self._process.retire()
                self._process = None
            if self._process is None:
                self._process = Life(self._modules, self._sandbox, self._paths)
            return self._process
