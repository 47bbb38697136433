"""The other end of the exchange's service, in a student's or an instructor's server."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from autograder.errors import UstodError
from autograder.hub.exchange.bundle import PIECE, Bundle, Listing, unpack

#: Seconds: for an answer, and for a service that is being started again to come back.
ANSWER, RETURN = 300, 15


class Client:
    """Asks the exchange at `url` with the hub's `token`; by default those that the lab gives to every server."""

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self._url = urlsplit(url or os.environ.get("USTOD_EXCHANGE_URL", ""))
        self._token = token or os.environ.get("JUPYTERHUB_API_TOKEN", "")
        if not (self._url.hostname and self._token):
            raise UstodError(
                "This server does not know the exchange (USTOD_EXCHANGE_URL and JUPYTERHUB_API_TOKEN are not set);"
                " stop it and start it again from the hub's page."
            )

    def get(self, *path: str, **query: str) -> Any:
        """What the service says at `path`, read from JSON."""
        with self._ask("GET", path, query) as response:
            return json.loads(response.read())

    def send(self, method: str, *path: str, bundle: Bundle | None = None, **query: str) -> Any:
        """Send `bundle`, and return what the service answers."""
        with self._ask(method, path, query, bundle) as response:
            return json.loads(response.read())

    def fetch(self, folder: Path, *path: str, limit: int) -> Listing:
        """Write what the bundle at `path` holds into the empty `folder`, checked byte by byte."""
        with self._ask("GET", path, {}) as response:
            return unpack(iter(lambda: response.read(PIECE), b""), folder, limit)

    @contextmanager
    def _ask(
        self, method: str, path: tuple[str, ...], query: dict[str, str], bundle: Bundle | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer.

        Raises:
            UstodError: in the service's words, if it refuses; in ours, if it cannot be reached.
        """
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        target = self._url.path.rstrip("/") + "/api/" + "/".join(quote(part, safe="") for part in path)
        target += f"?{urlencode(query)}" if query else ""
        headers = {"Authorization": f"token {self._token}"}
        if method in ("PUT", "POST"):
            headers["Content-Length"] = str(bundle.size if bundle else 0)
        until = time.monotonic() + RETURN
        connection = kind(self._url.hostname or "", self._url.port, timeout=ANSWER)
        try:
            while (response := _answer(connection, method, target, bundle, headers)) is None or response.status == 503:
                # Nothing was done yet, so it may be asked again.
                if time.monotonic() > until:
                    break
                connection.close()
                time.sleep(0.5)
            if response is None:
                raise ConnectionRefusedError("it is not running")
            if response.status >= 300:
                raise UstodError(_sentence(response))
            yield response
        except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
            raise UstodError(
                f"The exchange does not answer ({error}); what you have is kept; try again in a minute."
            ) from None
        finally:
            connection.close()


def _answer(
    connection: http.client.HTTPConnection, method: str, target: str, bundle: Bundle | None, headers: dict[str, str]
) -> http.client.HTTPResponse | None:
    """What the service answers; none if it is not there."""
    try:
        connection.connect()
    except ConnectionRefusedError:
        return None
    with suppress(BrokenPipeError, ConnectionResetError):  # refused before all was sent; the answer says why
        connection.request(method, target, bundle.pieces() if bundle else None, headers)
    return connection.getresponse()


def _sentence(response: http.client.HTTPResponse) -> str:
    try:
        return str(json.loads(response.read(1 << 16))["error"])
    except (ValueError, KeyError, TypeError):
        return f"The exchange answers {response.status} {response.reason}."
