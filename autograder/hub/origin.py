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


def _owner(host: str, port: int) -> int | None:
    """The uid that holds the client's end, `host`:`port`, of a connection within this machine; None if nobody does."""
    ip = ip_address(host)
    words = struct.unpack(f"={len(ip.packed) // 4}I", ip.packed)
    name = "".join(f"{word:08X}" for word in words) + f":{port:04X}"
    table = Path("/proc/self/net/tcp" if isinstance(ip, IPv4Address) else "/proc/self/net/tcp6")
    for line in table.read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == name and fields[3] == _ESTABLISHED:
            return int(fields[7])
    return None
