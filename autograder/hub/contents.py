"""Files of a student's server: each is there whole, as it was before a save or as it is after it.

Jupyter's own manager empties a file before it writes it, and what is killed in between leaves half of it.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from autograder.files import sync


class WholeFiles(AsyncLargeFileManager):
    """Jupyter's manager of files on a disk, but for how it writes them."""

    @contextmanager
    def atomic_writing(self, os_path: str, text: bool = True, **more: Any) -> Iterator[IO[Any]]:
        """A file to write to, which takes the place of `os_path` when all of it is on the disk, and only then."""
        path = os.path.realpath(os_path)
        folder = os.path.dirname(path)
        if not os.access(folder, os.W_OK):  # nothing new can be put there, but what is there may be written
            with super().atomic_writing(path, text, **more) as file:
                yield file
            return
        with self.perm_to_403(os_path):
            mode = 0o600
            if os.path.exists(path):
                with open(path, "rb+") as there:  # a file that may not be written stays
                    mode = stat.S_IMODE(os.fstat(there.fileno()).st_mode)
            descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".ustod-save-")
            try:
                how = {"encoding": "utf-8", "newline": "\n", **more} if text else more
                with open(descriptor, "w" if text else "wb", **how) as file:
                    yield file
                    file.flush()
                    os.fchmod(descriptor, mode)
                    os.fsync(descriptor)
                os.replace(temporary, path)
            except BaseException:
                os.unlink(temporary)
                raise
            sync(Path(folder))
