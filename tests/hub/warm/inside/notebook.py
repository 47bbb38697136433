"""What the tests' programs use, as a student: a kernel from jupyter_client, as JupyterLab starts it."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from jupyter_client.manager import AsyncKernelManager

# In a network namespace with nothing in it there would be no 127.0.0.1; here there is.


class Notebook:
    """A kernel and what it answers."""

    def __init__(self, manager: AsyncKernelManager, client: Any) -> None:
        self.manager = manager
        self.client = client

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.pid)

    @property
    def is_warm(self) -> bool:
        return type(self.manager.provisioner.process).__name__ == "WarmProcess"

    async def run(self, code: str, answer: str | None = None) -> str:
        """What a cell prints; its error, if it raises; `answer` is what is typed into input()."""
        said: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append(content["text"])
            elif message["msg_type"] == "error":
                said.append(f"{content['ename']}: {content['evalue']}")
            elif message["msg_type"] in ("display_data", "execute_result"):
                said.append(" ".join(sorted(content["data"])))

        def type_in(message: dict[str, Any]) -> None:
            self.client.input(answer)

        await self.client.execute_interactive(
            code, output_hook=hear, allow_stdin=answer is not None, stdin_hook=type_in, timeout=120
        )
        return "".join(said).strip()

    async def json(self, code: str) -> Any:
        """What the last expression of a cell is."""
        *statements, last = ast.parse(textwrap.dedent(code)).body
        code = "\n".join([*map(ast.unparse, statements), f"import json; print(json.dumps({ast.unparse(last)}))"])
        said = await self.run(code)
        try:
            return json.loads(said)
        except ValueError:
            raise AssertionError(said) from None

    async def ready(self) -> None:
        await self.client.wait_for_ready(timeout=120)


@asynccontextmanager
async def notebook(kernel: str = "ustod-ready", **kwargs: Any) -> AsyncIterator[Notebook]:
    manager = AsyncKernelManager(kernel_name=kernel)
    kwargs.setdefault("env", dict(os.environ))
    await manager.start_kernel(**kwargs)
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=120)
        yield Notebook(manager, client)
    finally:
        client.stop_channels()
        if manager.has_kernel:
            await manager.shutdown_kernel(now=True)


def main(program: Callable[[], Awaitable[Any]]) -> None:
    """Print what a coroutine returns, as JSON."""
    print(json.dumps(asyncio.run(program())))  # type: ignore[arg-type]
