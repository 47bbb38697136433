"""Whose sockets listen on this machine: what a program says of itself on a port, any other program could say there."""

from __future__ import annotations

from pathlib import Path

_LISTENS = "0A"
_TABLES = ("tcp", "tcp6")


def listeners(port: int) -> set[int]:
    """The uids of those who listen on TCP port `port` of this machine, on any of its addresses. See proc_net(5)."""
    uids = set()
    for table in _TABLES:
        try:
            lines = Path("/proc/net", table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue  # a machine without IPv6
        for line in lines:
            _, local, _, state, _, _, _, uid, *_ = line.split()
            if state == _LISTENS and int(local.rpartition(":")[2], 16) == port:
                uids.add(int(uid))
    return uids
