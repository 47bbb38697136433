"""The lab's own certificate authority, as a client that trusts it sees it."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import socket
import ssl
import threading
from pathlib import Path

import pytest

from autograder.errors import UstodError
from autograder.hub import authority
from autograder.hub.authority import ca_certificate, certificate_files, fingerprint
from autograder.hub.lab import Lab, read_lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return lab_called("lab.local", tmp_path)


def lab_called(name: str, folder: Path, more: str = "") -> Lab:
    (folder / "lab.toml").write_text(
        f'[server]\nname = "{name}"\n{more}\n[storage]\nroot = "{folder}/srv"\nrun = "{folder}/run"\n', "utf-8"
    )
    return read_lab(folder / "lab.toml")


def shake_hands(files: tuple[Path, Path], trusted: Path, name: str) -> None:
    """Connect as a browser does. Raises ssl.SSLError if it would show a warning."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*files)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def serve() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                serving.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with socket.create_connection(server.getsockname(), timeout=10) as connection:
                ssl.create_default_context(cafile=str(trusted)).wrap_socket(connection, server_hostname=name).close()
        finally:
            thread.join()


@pytest.mark.parametrize("name", ["lab.local", "127.0.0.1", "localhost"])
def test_a_computer_that_has_the_authoritys_certificate_trusts_the_lab(lab: Lab, name: str) -> None:
    files = certificate_files(lab)
    assert files
    shake_hands(files, ca_certificate(lab), name)


def test_the_authority_is_trusted_for_no_other_name(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate_files(lab)
    folder = ca_certificate(lab).parent
    thief = lab_called("bank.example", tmp_path)
    monkeypatch.setattr(authority, "_covers", lambda certificate, names: True)  # whoever has its key can sign anything
    files = certificate_files(thief)
    assert files and files[0].parent == folder
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree"):
        shake_hands(files, ca_certificate(lab), "bank.example")


def test_a_second_start_shows_the_same_certificates(lab: Lab) -> None:
    files = certificate_files(lab)
    assert files
    before = [path.read_bytes() for path in (*files, ca_certificate(lab))]
    assert certificate_files(lab) == files
    assert [path.read_bytes() for path in (*files, ca_certificate(lab))] == before


def test_a_certificate_that_ends_soon_is_made_anew_by_the_same_authority(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authority, "SERVER_DAYS", authority.RENEW_DAYS - 1)
    files = certificate_files(lab)
    assert files
    old, trusted = files[0].read_bytes(), ca_certificate(lab).read_bytes()
    monkeypatch.undo()
    certificate_files(lab)
    assert files[0].read_bytes() != old and ca_certificate(lab).read_bytes() == trusted
    shake_hands(files, ca_certificate(lab), "lab.local")


def test_keys_are_roots_alone(lab: Lab) -> None:
    certificate_files(lab)
    folder = ca_certificate(lab).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.glob("*.key")} == {
        "ca.key": 0o600,
        "server.key": 0o600,
    }


def test_the_fingerprint_is_the_one_that_browsers_show(lab: Lab) -> None:
    certificate_files(lab)
    der = ssl.PEM_cert_to_DER_cert(ca_certificate(lab).read_text())
    assert fingerprint(ca_certificate(lab)).replace(":", "").lower() == hashlib.sha256(der).hexdigest()


def test_files_that_are_named_must_be_there(tmp_path: Path) -> None:
    lab = lab_called("lab.local", tmp_path, '[tls]\nmode = "files"\ncertificate = "a.crt"\nkey = "a.key"')
    with pytest.raises(UstodError, match=r"a\.crt, which .* names under \[tls\], is not there"):
        certificate_files(lab)


def test_browsers_accept_how_long_it_is_valid() -> None:
    assert authority.SERVER_DAYS <= 398  # the limit of Chromium and Safari
    assert dt.timedelta(days=authority.RENEW_DAYS) < dt.timedelta(days=authority.SERVER_DAYS)
