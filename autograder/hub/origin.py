"""Where a request comes from, as far as that can be believed.

The proxy writes a browser's address into a header. But students' programs run on this machine too: they can connect to
the hub by themselves and write what they like. So a header is believed only if the account at the other end of the
connection is the proxy's.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Collection
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

#: The state of a connection that both ends hold open. A closed one belongs to nobody: the kernel then says root.
_ESTABLISHED = "01"


def address_of(request: Any, trusted: Collection[int]) -> str:
    """The address of the browser that sent the tornado `request`, or the account of this machine that did.

    Tornado's own `remote_ip` will not do: it believes the header X-Real-Ip, which any browser may send.

    Args:
        trusted: uids of those whose word counts, beside root's and our own.
    """
    host, port = request.connection.context.address[:2]
    if ip_address(host).is_loopback:
        owner = _owner(host, port)
        if owner not in {0, os.getuid(), *trusted}:
            return f"account {'unknown' if owner is None else owner}"
    forwarded = [part.strip() for part in ",".join(request.headers.get_list("X-Forwarded-For")).split(",")]
    return forwarded[-1] or str(host)


def clients(port: int) -> dict[tuple[str, int], int]:
    """The uids that hold the other ends of connections to `port` of this machine, by the addresses of those ends.

    Connections over IPv6 and those from elsewhere are not among them.
    """
    owners = {}
    for fields in _connections(Path("/proc/self/net/tcp")):
        if int(fields[2].rpartition(":")[2], 16) == port and fields[3] == _ESTABLISHED:
            host, _, number = fields[1].partition(":")
            owners[str(IPv4Address(struct.pack("=I", int(host, 16)))), int(number, 16)] = int(fields[7])
    return owners


def _connections(table: Path) -> list[list[str]]:
    return [line.split() for line in table.read_text("ascii").splitlines()[1:]]


def _owner(host: str, port: int) -> int | None:
    """The uid that holds the client's end, `host`:`port`, of a connection within this machine; None if nobody does."""
    ip = ip_address(host)
    words = struct.unpack(f"={len(ip.packed) // 4}I", ip.packed)
    name = "".join(f"{word:08X}" for word in words) + f":{port:04X}"
    table = Path("/proc/self/net/tcp" if isinstance(ip, IPv4Address) else "/proc/self/net/tcp6")
    for fields in _connections(table):
        if fields[1] == name and fields[3] == _ESTABLISHED:
            return int(fields[7])
    return None
