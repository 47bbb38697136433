"""A link that breaks: what goes through it is cut after so many bytes, so many times."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class CuttingProxy:
    """Listens on `port` and hands on to `target`; cuts `cuts` answers, each after `after` bytes of it."""

    def __init__(self, target: int, cuts: int, after: int) -> None:
        self.target, self.left, self.after, self.cut = target, cuts, after, 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            threading.Thread(target=_pump, args=(client, server), daemon=True).start()
            count = 0
            try:
                while piece := server.recv(65536):
                    count += len(piece)
                    client.sendall(piece)
                    if count > self.after and self._may_cut():
                        break
            except OSError:
                pass
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _may_cut(self) -> bool:
        with self._lock:
            if self.left:
                self.left -= 1
                self.cut += 1
                return True
            return False


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
    except OSError:
        pass
