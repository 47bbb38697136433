"""Takes what is sent to the disk as it comes, never the whole of it into memory."""

from __future__ import annotations

import time
from typing import Any

from tornado import web

from autograder.offline.mirror.blobs import Writer
from autograder.offline.mirror.handling import Handler
from autograder.offline.mirror.names import Refused
from autograder.offline.mirror.tickets import VALID
from autograder.offline.mirror.tokens import Caller

#: Bytes a second that a sender must keep up.
_SLOWEST = 1500


@web.stream_request_body
class Receiving(Handler):
    """Takes a body to the disk as it comes."""

    writer: Writer | None = None
    sender: Caller
    _gone = False

    def identify(self, name: str, instructor: bool, until: float) -> None:
        """What is sent comes from the account `name`, whose ticket can be used until that moment.

        Raises:
            Refused: if it is too late.
        """
        if not -VALID < until - time.time() <= VALID:
            raise Refused(403, "The permission for this upload is too old: start the upload again")
        self.sender = Caller(name, instructor)

    def limit(self) -> int:
        """How many bytes may come, once it is known who sends them; call it from a thread."""
        raise NotImplementedError

    async def prepare(self) -> None:
        await super().prepare()
        if self.request.method not in ("PUT", "POST"):
            return
        most = await self.disk(self.limit)
        announced = int(self.request.headers.get("Content-Length") or 0)
        if announced > most:
            raise Refused(413, f"{announced} bytes are more than are taken at once ({most})")
        connection: Any = self.request.connection
        connection.set_max_body_size(most)
        connection.set_body_timeout(60 + (announced or most) / _SLOWEST)
        self.writer = await self.disk(self.store.blobs.writer, announced)
        if self._gone:  # meanwhile
            self._end()

    async def data_received(self, chunk: bytes) -> None:
        if self.writer is not None:
            await self.disk(self.writer.write, chunk)

    def on_finish(self) -> None:
        self._end()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._gone = True
        self._end()

    def _end(self) -> None:
        if self.writer is not None:
            writer, self.writer = self.writer, None
            self.service.threads.submit(writer.discard)

    @property
    def received(self) -> Writer:
        """What came.

        Raises:
            Refused: if nothing did.
        """
        if self.writer is None:
            raise Refused(400, "Nothing was sent")
        return self.writer
