"""An nbgrader course directory, any nbgrader course directory, as its own configuration describes it."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from glob import escape, iglob
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from traitlets import import_item
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from autograder.environment import put_own_programs_on_path
from autograder.errors import UstodError
from autograder.grading.gradebook import open_gradebook
from autograder.grading.journal import settled, sqlite_file

# nbgrader's queries make SQLAlchemy 2 warn on every submission; no user can do anything about it.
warnings.filterwarnings("ignore", module=r"nbgrader\.")
# What goes wrong with the gradebook is raised too, and told in a sentence.
logging.getLogger("tornado.application").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Course:
    """A course directory; plain enough to be sent to another process.

    Attributes:
        root: its absolute path.
    """

    root: Path

    def __reduce__(self) -> tuple[Callable[[Path, int], Course], tuple[Path, int]]:
        """Only the root goes to another process: a configuration may hold classes that cannot be sent."""
        return _arrived, (self.root, self._version)

    @property
    def _version(self) -> int:
        try:
            return (self.root / "nbgrader_config.py").stat().st_mtime_ns
        except OSError:
            return 0

    @cached_property
    def config(self) -> Config:
        """What ``nbgrader_config.py`` in the course says; its root is `root` whatever the file says."""
        config = Config()
        path = self.root / "nbgrader_config.py"
        if path.is_file():
            try:
                config.merge(PyFileConfigLoader(path.name, path=str(self.root)).load_config())
            except Exception as error:
                raise UstodError(
                    f"The configuration {path} cannot be read: {type(error).__name__}: {error}."
                ) from error
        config.CourseDirectory.root = str(self.root)
        return config

    @cached_property
    def directory(self) -> CourseDirectory:
        """nbgrader's own view of the course."""
        directory = CourseDirectory(config=self.config)
        directory.db_url = settled(directory.db_url, self.root)
        return directory

    @cached_property
    def converter(self) -> Autograde:
        """nbgrader's converter, for the lists of steps that the course's configuration may have changed."""
        return Autograde(coursedir=self.directory, config=self.config)

    @property
    def steps(self) -> tuple[list[Any], list[Any]]:
        """nbgrader's preprocessor classes before and after the cells are trusted, as the course configures them."""
        converter = self.converter
        both = (converter.sanitize_preprocessors, converter.autograde_preprocessors)
        before, after = ([import_item(step) if isinstance(step, str) else step for step in steps] for steps in both)
        return before, after

    def gradebook(self) -> AbstractContextManager[Gradebook]:
        """Open the gradebook: what is changed in it takes effect together, or not at all."""
        put_own_programs_on_path()
        return open_gradebook(self.directory.db_url, self.directory.course_id)

    @property
    def gradebook_file(self) -> Path | None:
        """The gradebook, if it is a file; it need not be there yet."""
        return sqlite_file(self.directory.db_url)

    @property
    def gradebook_folder(self) -> Path:
        """Where the gradebook lies, if it is a file; otherwise the course."""
        return self.gradebook_file.parent if self.gradebook_file is not None else self.root

    def folder(self, step: str, student: str, assignment: str) -> Path:
        """Where files of `step` (``submitted``, ``autograded``, ``feedback``, ``source``) lie."""
        return Path(self.directory.format_path(getattr(self.directory, f"{step}_directory"), student, assignment))

    @property
    def submitted(self) -> Path:
        """Where everything that was handed in lies."""
        return self.root / str(self.directory.submitted_directory)

    def source(self, assignment: str, notebook: str) -> NotebookNode | None:
        """The instructor's version of `notebook`; None where it is not at hand or cannot be read."""
        path = self.folder("source", ".", assignment) / f"{notebook}.ipynb"
        try:
            source: NotebookNode = nbformat.read(path, as_version=nbformat.current_nbformat)
            return source
        except Exception:
            return None

    def students_with(self, assignment: str) -> list[str]:
        """Everybody who has a folder for `assignment`, or a link in its place, under ``submitted/``, in order."""
        step = self.directory.submitted_directory
        pattern = self.directory.format_path(step, "(?P<student>[^/]+)", re.escape(assignment), escape=True)
        structure = self.directory.directory_structure
        glob = structure.format(nbgrader_step=step, student_id="*", assignment_id=escape(assignment))
        paths = (Path(path) for path in iglob(os.path.join(escape(str(self.root)), glob)))
        found = (re.fullmatch(pattern, str(path)) for path in paths if path.is_dir() or path.is_symlink())
        return sorted(match["student"] for match in found if match)

    def assignment(self, name: str) -> str:
        """The assignment that `name` means: its full name, or the part before the first underscore.

        Raises:
            UstodError: if none fits, or several do.
        """
        with self.gradebook() as gradebook:
            known = sorted(entry.name for entry in gradebook.assignments)
        fitting = [item for item in known if item == name] or [i for i in known if i.split("_")[0] == name]
        if len(fitting) != 1:
            there = f"it has {', '.join(known)}" if known else "run nbgrader generate_assignment first"
            raise UstodError(f"The course {self.root} has no assignment {name}: {there}.")
        return str(fitting[0])

    def notebooks(self, assignment: str) -> list[str]:
        """The names of the notebooks of a released assignment."""
        with self.gradebook() as gradebook:
            try:
                return sorted(notebook.name for notebook in gradebook.find_assignment(assignment).notebooks)
            except MissingEntry:
                raise UstodError(f"The gradebook of {self.root} does not know the assignment {assignment}.") from None


@lru_cache(maxsize=4)
def _arrived(root: Path, version: int) -> Course:
    """The course at `root`: the same one, with what it has read, as long as its configuration is."""
    return Course(root)


def open_course(root: Path) -> Course:
    """The course in the folder `root`.

    Raises:
        UstodError: if the folder is no nbgrader course.
    """
    root = root.resolve()
    if not (root / "nbgrader_config.py").is_file() and not (root / "source").is_dir():
        raise UstodError(
            f"The folder {root} is no course: it has neither nbgrader_config.py nor source; see ustod build."
        )
    return Course(root)
