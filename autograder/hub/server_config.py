"""The settings of students' servers: written where root alone can change them, and put before students' own."""

from __future__ import annotations

import json
from pathlib import Path

from traitlets.config import Config

from autograder.files import write_text
from autograder.hub.lab import Lab
from autograder.hub.nbgrader import configure_student
from autograder.lab.extension import LABEXTENSIONS
from autograder.lab.jupyterlab import COURSE_PAGE, LANGUAGE_OPTION, LOCALES

#: Server extensions that cost every server memory and that students have no use for: instructors' panels, which their
#: course's own service shows, the language servers, none of which is installed, and the classic notebook's pages.
UNUSED = [
    "nbgrader.server_extensions.formgrader",
    "nbgrader.server_extensions.course_list",
    "jupyter_lsp",
    "notebook",
    "notebook_shim",
]
#: Of the interface, what speaks with those, and what asks for news.
HIDDEN = [
    "@jupyter/nbgrader:formgrader",
    "@jupyter/nbgrader:course-list",
    "@jupyter/nbgrader:create-assignment",
    "@jupyterlab/apputils-extension:announcements",
    "@jupyterlab/lsp-extension",
    "@jupyterlab/fileeditor-extension:language-server",
    "@jupyterlab/notebook-extension:language-server",
]
#: Seconds without input or output after which a terminal is closed. A program may well be silent for hours in it.
TERMINAL_IDLE = 12 * 3600


def students_server_config(lab: Lab, idle: float | None = None) -> Config:
    """What the students' servers of `lab` are told.

    A kernel that has been idle for `idle` seconds is ended, and a server with no kernel and no terminal after as long.
    A kernel that is at work is neither, however long it says nothing; and while it is there, its server is.
    """
    idle = lab.limits.idle_minutes * 60 if idle is None else idle
    c = Config()
    c.ServerApp.shutdown_no_activity_timeout = int(idle)
    c.ServerApp.jpserver_extensions = dict.fromkeys(UNUSED, False) | {COURSE_PAGE: True}
    c.LabApp.extra_labextensions_path = [LABEXTENSIONS]
    c.ServerApp.contents_manager_class = "autograder.hub.contents.WholeFiles"
    c.ServerApp.max_body_size = int(lab.limits.upload)
    c.ServerApp.log_level = "WARN"
    c.MappingKernelManager.cull_idle_timeout = int(idle)
    c.MappingKernelManager.cull_interval = max(1, min(60, int(idle) // 4))
    c.MappingKernelManager.cull_busy = False
    c.MappingKernelManager.cull_connected = True
    c.TerminalManager.cull_inactive_timeout = TERMINAL_IDLE
    c.TerminalManager.cull_interval = 300
    behind_a_poor_link(c)
    return c


def behind_a_poor_link(c: Config) -> None:
    """What every JupyterLab of a lab is told by `c`: send little to browsers, and ask the Internet for nothing."""
    c.ServerApp.tornado_settings = {"compress_response": True}
    c.LabApp.news_url = None
    c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
    c.LabApp.extension_manager = "readonly"  # the other one asks the Internet for what there is


def interface_defaults(lab: Lab, language: str) -> dict[str, dict[str, object]]:
    """Settings of JupyterLab's interface, which a student may change."""
    return {
        "@jupyterlab/docmanager-extension:plugin": {"autosaveInterval": lab.spawner.autosave_seconds},
        "@jupyterlab/translation-extension:plugin": {"locale": LOCALES.get(language, "en")},
    }


def language_of(lab: Lab, person: str) -> str:
    """The language of the first course that `person` takes or teaches and that has one; else the lab's first."""
    for course in lab.courses:
        people = {one.id for one in lab.rosters[course.name]} | set(course.instructors)
        if course.language and person in people:
            return course.language
    return lab.languages[0]


def write_server_config(lab: Lab, language: str) -> Path:
    """Write the settings of servers in `language`; those that are right already are left alone.

    Returns:
        The folder to be named in JUPYTER_CONFIG_PATH.
    """
    folder = lab.storage.run / "jupyter" / language
    labconfig = folder / "labconfig"
    for path in (lab.storage.run, folder.parent, folder, labconfig):
        if not path.is_dir():
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
            path.chmod(0o755)
    disabled = dict.fromkeys(HIDDEN, True)
    exchange = Config()
    configure_student(exchange)
    for path, content in (
        (folder / "nbgrader_config.json", exchange),
        (folder / "jupyter_server_config.json", students_server_config(lab)),
        (labconfig / "default_setting_overrides.json", interface_defaults(lab, language)),
        (labconfig / "page_config.json", {"disabledExtensions": disabled, LANGUAGE_OPTION: language}),
    ):
        text = json.dumps(content, indent=1, sort_keys=True) + "\n"
        if not path.is_file() or path.read_text("utf-8") != text:
            write_text(path, text)
    return folder
