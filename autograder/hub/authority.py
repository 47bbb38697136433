"""A certificate authority of the lab's own, for networks without the internet.

Whoever trusts it trusts it for the lab's own names alone: its certificate says so (RFC 5280, name constraints), and
browsers hold it to that.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
from pathlib import Path
from typing import Any

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from jupyterhub.handlers.base import BaseHandler

from autograder.errors import UstodError
from autograder.files import write_bytes
from autograder.hub.lab import Lab

AUTHORITY_DAYS = 3650
#: Browsers refuse certificates that are valid for longer.
SERVER_DAYS = 397
#: A certificate that ends sooner is made anew when the lab starts.
RENEW_DAYS = 60


def certificate_files(lab: Lab) -> tuple[Path, Path] | None:
    """The certificate that browsers are shown and its key; None where the lab has no encryption.

    With a local authority both are made where they are missing, end soon, or are for other names.

    Raises:
        UstodError: if files that ``lab.toml`` names are not there.
    """
    if lab.tls.mode == "off":
        return None
    if lab.tls.mode == "files":
        certificate, key = (lab.path.parent / path for path in (lab.tls.certificate or "", lab.tls.key or ""))
        for path in (certificate, key):
            if not path.is_file():
                raise UstodError(f"The file {path}, which {lab.path} names under [tls], is not there.")
        return certificate, key
    return _own_certificate(lab)


def ca_certificate(lab: Lab) -> Path:
    """The certificate to be installed on the lab's computers."""
    return lab.storage.hub / "tls" / "ca.crt"


def fingerprint(path: Path) -> str:
    """SHA-256 of the certificate at `path`, as browsers show it."""
    digest = x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256())
    return ":".join(f"{byte:02X}" for byte in digest)


class AuthorityHandler(BaseHandler):  # type: ignore[misc]
    """Gives the authority's certificate, which is public, to whoever asks."""

    def initialize(self, path: Path) -> None:
        self._path = path

    def get(self) -> None:
        """The certificate, as a download."""
        self.set_header("Content-Type", "application/x-x509-ca-cert")
        self.set_header("Content-Disposition", 'attachment; filename="ustod-ca.crt"')
        self.write(self._path.read_bytes())


def _own_certificate(lab: Lab) -> tuple[Path, Path]:
    folder = ca_certificate(lab).parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate, key = folder / "server.crt", folder / "server.key"
    names = _names(lab)
    if not (ca_certificate(lab).exists() and (folder / "ca.key").exists()):
        _make_authority(folder, names)
    authority = x509.load_pem_x509_certificate(ca_certificate(lab).read_bytes())
    if not _covers(authority, names):
        _make_authority(folder, names)
        authority = x509.load_pem_x509_certificate(ca_certificate(lab).read_bytes())
    if not (key.exists() and certificate.exists() and _serves(certificate, authority, names)):
        _make_server(folder, authority, names)
    return certificate, key


def _names(lab: Lab) -> list[x509.GeneralName]:
    """What the lab is called: its name, every name below it, and the addresses of this machine."""
    name = lab.server.name
    addresses = {
        address.address.partition("%")[0]
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family in (socket.AF_INET, socket.AF_INET6)
    }
    try:
        addresses.add(str(ipaddress.ip_address(name)))
        named: list[x509.GeneralName] = []
    except ValueError:
        named = [x509.DNSName(name), *([x509.DNSName(f"*.{name}")] if lab.server.subdomains else [])]
    local = [] if name == "localhost" else [x509.DNSName("localhost")]
    return [*named, *local, *(x509.IPAddress(ipaddress.ip_address(address)) for address in sorted(addresses))]


def _constraint(name: x509.GeneralName) -> x509.GeneralName:
    """What an authority's certificate must permit for `name`; a name permits all below it."""
    if isinstance(name, x509.IPAddress):
        return x509.IPAddress(ipaddress.ip_network(str(name.value)))
    return x509.DNSName(str(name.value).removeprefix("*."))


def _covers(authority: x509.Certificate, names: list[x509.GeneralName]) -> bool:
    permitted = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    return all(_constraint(name) in permitted for name in names) and _lasts(authority)


def _lasts(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc > dt.datetime.now(dt.UTC) + dt.timedelta(days=RENEW_DAYS)


def _serves(path: Path, authority: x509.Certificate, names: list[x509.GeneralName]) -> bool:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return _lasts(certificate) and certificate.issuer == authority.subject and set(names) <= set(held)


def _make_authority(folder: Path, names: list[x509.GeneralName]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial number in the name tells this authority from one that it replaces.
    title = f"Ustod lab {dt.date.today():%Y-%m-%d} {x509.random_serial_number() % 10**6:06d}"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    constraints = x509.NameConstraints(list(dict.fromkeys(map(_constraint, names))), None)
    builder = (
        _builder(subject, subject, key, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .add_extension(constraints, critical=True)
    )
    _write_key(folder / "ca.key", key)
    write_bytes(folder / "ca.crt", builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def _make_server(folder: Path, authority: x509.Certificate, names: list[x509.GeneralName]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    signer: Any = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Ustod lab")])
    builder = (
        _builder(subject, authority.subject, key, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    _write_key(folder / "server.key", key)
    write_bytes(folder / "server.crt", builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # clocks of a lab's computers differ
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    write_bytes(path, key.private_bytes(encoding, form, serialization.NoEncryption()), mode=0o600)
