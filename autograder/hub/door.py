"""How the lab's HTTP servers treat those who come, before any of their own programs has a say.

Students' programs reach every port of this machine, and anybody reaches the proxy. So two things that a server of
tornado's gives to whoever asks are kept short: open connections, which are open files, and memory for what is sent.
"""

from __future__ import annotations

import os
import pwd
import resource
from collections import Counter
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine, parse_cookie
from tornado.web import decode_signed_value

from autograder.hub.origin import clients

#: From so many connections on, a server looks at who holds them, again each time that so many more have come.
CROWD, STEP = 512, 128
#: Connections that one account of this machine may hold in a crowd; the proxy's, root's and one's own are not counted.
MOST = 64
#: Bytes that somebody may send who has not logged in. They are kept in memory until all are there.
STRANGERS_BODY = 1 << 20
#: Names the cookie with which a server of the hub's knows who is logged in, and is set for all of them.
LOGIN = "JUPYTERHUB_CLIENT_ID"
#: For the hub, to which nobody has more than a form to send: bytes, and seconds until they are there.
SMALL: dict[str, Any] = {"max_body_size": 1 << 20, "body_timeout": 60.0}


def open_door(**settings: Any) -> None:
    """Let every HTTP server that this process makes from now on be a `Door`, and have as many files as Linux lets it.

    Args:
        settings: of `tornado.httpserver.HTTPServer`, where the server's own program names none.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    HTTPServer.configure(Door, **settings)


class Door(HTTPServer):
    """A server that no single account of this machine can fill, and no stranger can have keep what they send."""

    _arrived = 0

    def handle_stream(self, stream: Any, address: Any) -> None:
        """Take one more connection."""
        super().handle_stream(stream, address)
        self._arrived += 1
        if len(self._connections) >= CROWD and self._arrived >= STEP:
            self._arrived = 0
            self._thin_out(stream.socket.getsockname()[1])

    def _thin_out(self, port: int) -> None:
        """Close what accounts hold beyond their share."""
        owners, held = clients(port), Counter[int]()
        trusted = {0, os.getuid(), *_proxy()}
        for connection in list(self._connections):
            context: Any = connection.context
            uid = owners.get(tuple(context.address[:2]))
            if uid is not None and uid not in trusted:
                held[uid] += 1
                if held[uid] > MOST:
                    connection.stream.close()

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        """Who reads the next request."""
        reader = super().start_request(server_conn, request_conn)
        secret, name = getattr(self.request_callback, "settings", {}).get("cookie_secret"), os.environ.get(LOGIN)
        return _Careful(reader, request_conn, name, secret) if name and secret else reader


class _Careful(HTTPMessageDelegate):
    """Passes a request on to `reader`, and takes little from who does not show the login cookie that the server signed.

    The server itself asks more of that cookie, but only once everything is there.
    """

    def __init__(self, reader: HTTPMessageDelegate, connection: Any, name: str, secret: Any) -> None:
        self._reader, self._connection, self._name, self._secret = reader, connection, name, secret

    def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> Any:
        cookie = parse_cookie(headers.get("Cookie", "")).get(self._name)
        if not decode_signed_value(self._secret, self._name, cookie):
            self._connection.set_max_body_size(STRANGERS_BODY)
        return self._reader.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Any:
        return self._reader.data_received(chunk)

    def finish(self) -> None:
        self._reader.finish()

    def on_connection_close(self) -> None:
        self._reader.on_connection_close()


def _proxy() -> set[int]:
    from autograder.hub.programs import PROXY_ACCOUNT  # which a student's server has no other use for

    try:
        return {pwd.getpwnam(PROXY_ACCOUNT).pw_uid}
    except KeyError:
        return set()
