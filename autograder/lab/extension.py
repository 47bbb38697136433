"""The Course page: an extension of the learner's own Jupyter server, at home and on a lab server.

A plain page, so that it opens on a telephone and without JupyterLab. Its tile in JupyterLab's launcher is the
prebuilt extension in ``labextension``, written by hand: there is nothing to build. What the page needs is imported
when somebody first opens it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from autograder.errors import UstodError

#: For `LabApp.extra_labextensions_path`.
LABEXTENSIONS = str(Path(__file__).parent / "labextension")
#: In which language the page is until a learner chooses another.
LANGUAGE = "USTOD_LANGUAGE"
ADDRESS = "ustod/course"


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    base = server.web_app.settings["base_url"]
    server.web_app.add_handlers(
        ".*$",
        [
            (url_path_join(base, ADDRESS), CoursePage),
            (url_path_join(base, ADDRESS, "progress"), CarriedProgress),
        ],
    )


class _Handler(JupyterHandler):
    @property
    def content_security_policy(self) -> str:
        """Nothing from elsewhere, and no script."""
        own = f"{super().content_security_policy}; default-src 'none'; style-src 'unsafe-inline'"
        return f"{own}; img-src data:; form-action 'self'"

    @property
    def folder(self) -> Path:
        """The learner's."""
        return Path(self.settings["server_root_dir"]).expanduser()

    @property
    def progress(self) -> Path:
        """Where the learner's progress is kept."""
        from autograder.lab.progress import PROGRESS
        from autograder.student.progress import VARIABLE

        return Path(os.environ.get(VARIABLE) or self.folder / PROGRESS)


class CoursePage(_Handler):
    """The page itself; what is posted to it is progress that somebody carried here."""

    @web.authenticated
    def get(self) -> None:
        """Show it, in the language that is asked for; that is remembered."""
        from autograder.lab.progress import choose_language, read_progress
        from autograder.student.texts import LANGUAGES

        asked = self.get_query_argument("lang", "")
        if asked in LANGUAGES and asked != read_progress(self.progress).language:
            try:
                choose_language(self.progress, asked)
            except OSError as error:
                self.log.warning("The language could not be remembered: %s", error)
        self._show(asked)

    @web.authenticated
    def post(self) -> None:
        """Take in a carried file."""
        from autograder.lab.progress import take_in

        files = self.request.files.get("progress", [])
        try:
            count = take_in(self.progress, files[0]["body"] if files else b"")
            self._show("", "{count} new lines were taken in.", count=count)
        except UstodError as error:
            self.set_status(400)
            self._show("", str(error))
        except OSError as error:
            self.set_status(500)
            self._show("", "The progress could not be written ({why}); make room on the disk.", why=error.strerror)

    def _show(self, language: str, message: str = "", **fields: object) -> None:
        from autograder.lab.page import render

        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        html = render(
            folder=self.folder,
            progress=self.progress,
            language=language,
            first=os.environ.get(LANGUAGE, ""),
            base=self.base_url,
            token=self.xsrf_token.decode(),
            message=message,
            fields=fields,
        )
        self.finish(html)


class CarriedProgress(_Handler):
    """The progress as a file to keep on a stick."""

    @web.authenticated
    def get(self) -> None:
        """Send it."""
        from autograder.lab.progress import packed

        self.set_header("Content-Type", "application/x-ndjson")
        self.set_header("Content-Disposition", 'attachment; filename="ustod-progress.jsonl"')
        self.finish(packed(self.progress))
