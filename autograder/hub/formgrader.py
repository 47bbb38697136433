"""The server of one course: JupyterLab with formgrader, in the account that owns the course.

It listens below 1024, and gives the right to do so up before anybody's code can run in it.
"""

from __future__ import annotations

from jupyterlab.labhubapp import SingleUserLabApp

from autograder.hub.door import open_door
from autograder.kernel.linux import drop_capabilities


class CourseServer(SingleUserLabApp):  # type: ignore[misc]
    """JupyterLab behind the hub, without any right of root's once it listens."""

    def start_ioloop(self) -> None:
        """Serve."""
        drop_capabilities()
        super().start_ioloop()


if __name__ == "__main__":
    open_door()
    CourseServer.launch_instance()
