"""An LMS on this machine: an LTI 1.3 platform with a token, columns, scores and members, as the specifications say."""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

SCORE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"


@dataclass
class Lms:
    """What the platform knows. `public` is the tool's key; `fail` answers a path with a status instead."""

    public: bytes
    client_id: str = "tool-1"
    address: str = ""
    items: list[dict[str, Any]] = field(default_factory=list)
    scores: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    members: list[dict[str, Any]] = field(default_factory=list)
    users: set[str] = field(default_factory=lambda: {"u1", "u2", "u3"})
    tokens: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    fail: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    redirect: str = ""
    page: int = 2
    logins: int = 0

    @property
    def settings(self) -> dict[str, str]:
        """What stands in the course's lti.toml."""
        return {
            "client_id": self.client_id,
            "token_url": f"{self.address}/token",
            "line_items": f"{self.address}/items?context=7",
            "members": f"{self.address}/members",
        }

    def token(self, form: dict[str, list[str]]) -> tuple[int, Any]:
        assert form["grant_type"] == ["client_credentials"]
        assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
        try:
            claims = jwt.decode(
                form["client_assertion"][0],
                self.public,
                ["RS256"],
                audience=f"{self.address}/token",
                issuer=self.client_id,
                options={"require": ["iss", "sub", "aud", "iat", "exp", "jti"]},
            )
        except jwt.InvalidTokenError as error:
            return 400, {"error": "invalid_client", "error_description": str(error)}
        if claims["jti"] in self.seen or claims["sub"] != self.client_id:
            return 400, {"error": "invalid_client"}
        self.seen.add(claims["jti"])
        self.logins += 1
        token = secrets.token_hex(8)
        self.tokens[token] = form["scope"][0]
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": form["scope"][0]}


def start(lms: Lms) -> ThreadingHTTPServer:
    """Serve `lms` on a port of its own until the server is shut down."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def answer(self, status: int, content: Any, media: str = "application/json", **headers: str) -> None:
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            if url.path in lms.fail:
                self.answer(*lms.fail[url.path])
            elif url.path == "/token":
                self.answer(*lms.token(parse_qs(body.decode())))
            elif (scope := lms.tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "))) is None:
                self.answer(401, {"error": "invalid_token"})
            elif lms.redirect:
                self.answer(302, {}, Location=lms.redirect)
            else:
                self.serve(url.path, parse_qs(url.query), body, scope)

        def serve(self, path: str, query: dict[str, list[str]], body: bytes, scope: str) -> None:
            first = int(query.get("from", ["0"])[0])
            more = {"Link": f'<{lms.address}{path}?context=7&from={first + lms.page}>; rel="next"'}
            if path == "/members":
                assert self.headers["Accept"] == "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
                page = {"id": "x", "members": lms.members[first : first + lms.page]}
                self.answer(200, page, **(more if first + lms.page < len(lms.members) else {}))
            elif path == "/items" and self.command == "GET":
                assert self.headers["Accept"] == "application/vnd.ims.lis.v2.lineitemcontainer+json"
                last = first + lms.page >= len(lms.items)
                self.answer(200, lms.items[first : first + lms.page], **({} if last else more))
            elif path == "/items":
                assert self.headers["Content-Type"] == "application/vnd.ims.lis.v2.lineitem+json"
                item = json.loads(body)
                assert item["scoreMaximum"] > 0 and item["label"]
                item["id"] = f"{lms.address}/items/{len(lms.items)}/lineitem?type_id=1"
                lms.items.append(item)
                self.answer(201, item, "application/vnd.ims.lis.v2.lineitem+json")
            elif path.endswith("/lineitem/scores"):
                assert self.headers["Content-Type"] == "application/vnd.ims.lis.v1.score+json"
                assert SCORE in scope.split() and query == {"type_id": ["1"]}
                score = json.loads(body)
                assert {"userId", "timestamp", "activityProgress", "gradingProgress"} <= score.keys()
                assert ("scoreGiven" in score) == ("scoreMaximum" in score)
                if score["userId"] not in lms.users:
                    self.answer(404, {"error": "no such user"})
                    return
                lms.scores.append((path, score))
                self.answer(204, b"")
            else:
                self.answer(404, {"error": path})

        do_GET = do_POST = handle_any

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    lms.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
