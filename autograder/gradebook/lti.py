"""A course's LMS as an LTI 1.3 platform: who we are to it, and what its services answer.

The course's ``lti.toml`` says where they are. The token is asked for with a signed JWT, as in 1EdTech's Security
Framework 1.0, section 4.1 (https://www.imsglobal.org/spec/security/v1p0/).
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from autograder.errors import UstodError, one_line
from autograder.files import write_bytes

#: What a program may ask of the platform, in the words of the specifications.
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
SCOPES = (
    f"{AGS}lineitem",
    f"{AGS}score",
    "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly",
)
#: Seconds: for an answer; for which a signed JWT holds; of a token's life that are left unused.
PATIENCE, SIGNED, SPARE = 60, 300, 30
#: Bytes of an answer, and pages of a list.
LARGEST, PAGES = 16 << 20, 1000


class Settings(BaseModel):
    """``lti.toml``: what the LMS shows when the tool is registered, and the addresses that a launch brings.

    `line_items` and `members` are in a launch's claims ``…/lti-ags/claim/endpoint`` and
    ``…/lti-nrps/claim/namesroleservice``; `audience` is the token's address if the LMS names no other.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str = Field(min_length=1)
    token_url: str
    line_items: str
    members: str = ""
    audience: str = ""

    @field_validator("token_url", "line_items", "members")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        parts = urllib.parse.urlsplit(value)
        loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if value and not (parts.scheme == "https" or (parts.scheme == "http" and loopback)):
            raise ValueError("grades go to an address that begins with https:// only")
        return value


def read_settings(root: Path) -> Settings:
    """What the file ``lti.toml`` in the course directory `root` says.

    Raises:
        UstodError: if it is not there, or does not say it.
    """
    path = root / "lti.toml"
    try:
        return Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise UstodError(f"The file {path} is wrong at {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    except FileNotFoundError:
        raise UstodError(f"There is no {path}; write into it client_id, token_url and line_items of the LMS.") from None
    except (OSError, ValueError) as error:
        raise UstodError(f"The file {path} cannot be read: {error}.") from None


@dataclass(frozen=True)
class Key:
    """Our private key, and what the LMS is to know of it."""

    private: bytes

    @property
    def public(self) -> bytes:
        """The public key as PEM, which Moodle takes."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public: bytes = self._loaded().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return public

    @property
    def name(self) -> str:
        """What our signatures call it."""
        return hashlib.sha256(self.public).hexdigest()[:16]

    @property
    def jwks(self) -> str:
        """The public key as a JSON Web Key Set, which Canvas takes."""
        from jwt.algorithms import RSAAlgorithm

        key = RSAAlgorithm.to_jwk(self._loaded().public_key(), as_dict=True)
        return json.dumps({"keys": [{**key, "kid": self.name, "alg": "RS256", "use": "sig"}]})

    def _loaded(self) -> Any:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        return load_pem_private_key(self.private, None)


def own_key(root: Path) -> Key:
    """The key of the course directory `root`; made if there is none, and read by its owner alone."""
    path = root / ".ustod" / "lti-key.pem"
    try:
        if not path.is_file():
            from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
            from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

            made = generate_private_key(65537, 2048)
            path.parent.mkdir(exist_ok=True)
            write_bytes(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
        return Key(path.read_bytes())
    except ImportError:
        raise UstodError("The way to an LMS needs two packages; install them with: pip install 'ustod[lti]'") from None
    except OSError as error:
        raise UstodError(f"The key {path} cannot be read or made: {error.strerror or error}.") from None


class Refusal(UstodError):
    """The platform does not do what was asked; `status` is HTTP's."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class _Stay(urllib.request.HTTPRedirectHandler):
    """Our token goes where ``lti.toml`` says, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Platform:
    """The LMS's services. A token is asked for when it is needed, and again when the platform wants another."""

    def __init__(self, settings: Settings, key: Key) -> None:
        self.settings, self._key = settings, key
        self._token, self._until = "", 0.0
        self._opener = urllib.request.build_opener(_Stay)

    def get_all(self, url: str, media: str, inside: str = "") -> Iterator[dict[str, Any]]:
        """The entries of the list at `url`, page by page; with `inside`, each page holds them under that name."""
        for _ in range(PAGES):
            content, link = self._ask("GET", url, None, {"Accept": media})
            entries = content.get(inside) if inside and isinstance(content, dict) else content
            if not isinstance(entries, list):
                raise UstodError(f"The LMS answers {url} with something that is no list; look at lti.toml.")
            yield from (entry for entry in entries if isinstance(entry, dict))
            if not link:
                return
            url = self._same_place(urllib.parse.urljoin(url, link), url)

    def post(self, url: str, media: str, content: dict[str, Any]) -> Any:
        """What the platform answers to `content`.

        Raises:
            Refusal: if it refuses.
        """
        answer, _ = self._ask("POST", url, json.dumps(content).encode(), {"Content-Type": media})
        return answer

    def _ask(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> tuple[Any, str]:
        """The answer, and the address of the next page if there is one."""
        url = self._same_place(url, self.settings.line_items)
        for is_last in (False, True):
            if time.time() > self._until:
                self._log_in()
            request = urllib.request.Request(url, body, headers, method=method)
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
            try:
                return self._send(request)
            except Refusal as refusal:
                if refusal.status != 401 or is_last:
                    raise
                self._until = 0.0
        raise AssertionError

    def _log_in(self) -> None:
        import jwt

        now, who = int(time.time()), self.settings.client_id
        claims = {"iss": who, "sub": who, "aud": self.settings.audience or self.settings.token_url}
        claims |= {"iat": now, "exp": now + SIGNED, "jti": secrets.token_hex(16)}  # type: ignore[dict-item]
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": jwt.encode(claims, self._key.private, "RS256", {"kid": self._key.name}),
            "scope": " ".join(SCOPES if self.settings.members else SCOPES[:2]),
        }
        request = urllib.request.Request(self.settings.token_url, urllib.parse.urlencode(form).encode())
        answer, _ = self._send(request)
        if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
            raise UstodError(f"The LMS gives no token at {self.settings.token_url}; look at lti.toml.")
        self._token = answer["access_token"]
        life = answer.get("expires_in")
        self._until = time.time() + max(0.0, (life if isinstance(life, int | float) else 60) - SPARE)

    def _send(self, request: urllib.request.Request) -> tuple[Any, str]:
        where = request.full_url.partition("?")[0]
        try:
            with self._opener.open(request, timeout=PATIENCE) as response:
                text = response.read(LARGEST)
                link = _next_page(response.headers.get_all("Link") or [])
                return (json.loads(text) if text.strip() else None), link
        except urllib.error.HTTPError as error:
            said = one_line(error.read(300).decode("utf-8", "replace"))
            raise Refusal(error.code, f"The LMS answers {error.code} {error.reason} at {where}: {said}") from None
        except ValueError:
            raise UstodError(f"The LMS answers {where} with something that is no JSON; look at lti.toml.") from None
        except OSError as error:
            why = getattr(error, "reason", None) or error
            raise UstodError(f"The LMS cannot be reached at {where} ({why}); try again when there is a link.") from None

    def _same_place(self, url: str, known: str) -> str:
        """`url`, if our token may go there: an address that the platform gives must be one of its own."""
        one, other = urllib.parse.urlsplit(url), urllib.parse.urlsplit(known)
        if (one.scheme, one.netloc) != (other.scheme, other.netloc) and url != self.settings.members:
            raise UstodError(f"The LMS sends us to {one.netloc}, which is not its own address; nothing was sent there.")
        return url


def _next_page(links: list[str]) -> str:
    for link in ",".join(links).split(","):
        if re.search(r';\s*rel="?next"?', link) and (found := re.search(r"<([^>]*)>", link)):
            return found[1]
    return ""
