"""Execute cells the way a notebook does (magics, display, the value of the last line) and collect what they put out."""

from __future__ import annotations

import atexit
import base64
import io
import os
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from types import ModuleType, TracebackType
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.pylabtools import select_figure_formats
from traitlets.config import Config

#: What a notebook file says of one output: plain data.
Output = dict[str, Any]
#: Characters of output that one cell may have; the rest is left out, and said to be.
MOST = 1_000_000
#: Characters of what an exception says, and parts of its traceback.
MOST_OF_ERROR, MOST_LINES = 20_000, 50
OURS = os.path.dirname(os.path.abspath(__file__))
INLINE = "module://matplotlib_inline.backend_inline"


class Collector:
    """The outputs of one cell."""

    def __init__(self, most: int = MOST) -> None:
        self.outputs: list[Output] = []
        self._left = most

    def add(self, output: Output) -> None:
        """Add an output other than text. What scores are read from is not left out on account of what came before."""
        size = sum(len(str(part)) for part in output.get("data", output).values())
        kind = output["output_type"]
        if kind == "error" or (kind == "execute_result" and size <= MOST) or self._fits(size):
            self.outputs.append(output)

    def write(self, name: str, text: str) -> None:
        """Add text of the stream `name`, to the output before it if that is of the same stream."""
        if not text or not self._fits(len(text)):
            return
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["text"] += text
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": text})

    def clear(self) -> None:
        """Forget what was put out so far, as `clear_output` asks."""
        self.outputs.clear()

    def _fits(self, size: int) -> bool:
        if self._left < 0:
            return False
        self._left -= size
        if self._left < 0:
            text = "\n[The rest of the output is left out.]\n"
            self.outputs.append({"output_type": "stream", "name": "stdout", "text": text})
        return self._left >= 0


class Stream(io.TextIOBase):
    """A text stream that writes into a collector."""

    encoding = "utf-8"

    def __init__(self, collector: Collector, name: str) -> None:
        self._collector, self.name = collector, name

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._collector.write(self.name, text)
        return len(text)

    def writable(self) -> bool:
        return True


@contextmanager
def collecting(collector: Collector) -> Iterator[None]:
    """What the body prints goes to `collector`."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Stream(collector, "stdout"), Stream(collector, "stderr")
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class _Hook(DisplayHook):
    def __call__(self, result: Any = None) -> None:
        this: Any = self
        if result is None or this.semicolon_at_end_of_expression(this.shell.source):
            return
        data, metadata = this.compute_format_data(result)
        this.update_user_ns(result)
        if data:
            output = {"output_type": "execute_result", "data": _texts(data), "metadata": metadata}
            this.shell.collector.add(output)


class _Publisher(DisplayPublisher):
    def publish(self, data: Any, metadata: Any = None, source: Any = None, **_: Any) -> None:
        output = {"output_type": "display_data", "data": _texts(data), "metadata": metadata or {}}
        self.shell.collector.add(output)

    def clear_output(self, wait: bool = False) -> None:
        self.shell.collector.clear()


class _Shell(InteractiveShell):
    displayhook_class = _Hook
    display_pub_class = _Publisher
    collector: Any = Collector()
    source = ""
    remark: Any = None

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        kind, error, where = super()._get_exc_info(exc_tuple)  # type: ignore[no-untyped-call]
        if self.remark is not None:
            self.remark(error)
        return kind, error, _without_ours(where)

    def _showtraceback(self, kind: Any, error: Any, lines: list[str]) -> None:
        name = getattr(kind, "__name__", "Error")
        try:
            text = str(error)
        except BaseException:
            text = ""
        shown = [line[:MOST_OF_ERROR] for line in lines[-MOST_LINES:]]
        self.collector.add({"output_type": "error", "ename": name, "evalue": text[:MOST_OF_ERROR], "traceback": shown})

    def enable_gui(self, gui: Any = None) -> None:
        """There is no window here."""


class Shell:
    """A notebook's memory, and the way to execute cells in it.

    Only one can be open in a process, because `display` and `get_ipython` ask for *the* shell.

    Args:
        namespace: the names of the notebook.
        remark: called with each exception that is to be shown, on which it may note something.
    """

    def __init__(
        self, namespace: MutableMapping[str, Any], remark: Callable[[BaseException], None] | None = None
    ) -> None:
        self._main = sys.modules.get("__main__")
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.cache_size = 0
        config.InteractiveShell.colors = "nocolor"
        os.environ["MPLBACKEND"] = INLINE  # for a matplotlib that cells import
        module = ModuleType("__main__") if type(namespace) is dict else None
        if module is not None:
            vars(module).update(namespace)
        InteractiveShell.clear_instance()
        self._hook = sys.excepthook
        self._shell: Any = _Shell.instance(
            config=config, user_module=module, user_ns=None if module is not None else namespace
        )
        self._shell.remark = remark
        self.namespace: Any = self._shell.user_ns
        if "matplotlib" in sys.modules:
            self._shell.enable_matplotlib("inline")  # type: ignore[no-untyped-call]
            # matplotlib-inline does this for the first shell of a process alone
            select_figure_formats(self._shell, {"png"}, bbox_inches="tight")

    def execute(self, source: str) -> tuple[list[Output], BaseException | None]:
        """The outputs of one cell, and what it raised."""
        self._shell.collector = collector = Collector()
        self._shell.source = source
        with collecting(collector):
            done = self._shell.run_cell(source, store_history=False)
        self._shell.collector = Collector()
        return collector.outputs, done.error_before_exec or done.error_in_exec

    def close(self) -> None:
        """Let go of what a shell changes in a process."""
        atexit.unregister(self._shell.atexit_operations)
        self._shell.atexit_operations()
        _Shell.clear_instance()
        sys.excepthook = self._hook
        if self._main is not None:
            sys.modules["__main__"] = self._main


def _without_ours(where: TracebackType | None) -> TracebackType | None:
    """A traceback without the steps between the two processes, which tell a reader nothing."""
    steps = []
    while where is not None:
        if not where.tb_frame.f_code.co_filename.startswith(OURS):
            steps.append(where)
        where = where.tb_next
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        step.tb_next = following
    return steps[0] if steps else None


def _texts(data: Any) -> dict[str, Any]:
    """Pictures as base64, as a notebook file has them."""
    return {
        str(kind): base64.b64encode(content).decode() if isinstance(content, bytes) else content
        for kind, content in data.items()
    }
