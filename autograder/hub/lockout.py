"""How long a guesser waits.

A failure counts in up to three places: for this person from this address, for this address whoever is guessed at, and
for this person wherever the guesses come from. Each place forgives some failures; every further one doubles the wait,
up to a bound; and counts fade, so nobody is shut out for good. From a browser in which a person has logged in before,
only that browser's own failures count: class-mates who guess at them, even from behind the same address, cannot keep
them out there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

MINUTE, HOUR = 60.0, 3600.0


@dataclass(frozen=True)
class Bound:
    """What one place forgives, and what it costs to go on. All times are in seconds.

    Attributes:
        free: failures that cost no wait.
        first: the wait after the next one; each further doubles it.
        longest: the wait never grows beyond.
        half_life: in this time a count fades to half.
    """

    free: int
    first: float
    longest: float
    half_life: float

    def faded(self, count: float, elapsed: float) -> float:
        """What is left of `count` after `elapsed` seconds; a clock that was set back fades nothing."""
        return float(count * 0.5 ** (max(0.0, elapsed) / self.half_life))

    def wait(self, count: float) -> float:
        """How long after its last failure a place with `count` of them stays shut."""
        beyond = count - self.free
        if beyond <= 0:
            return 0.0
        return float(min(self.longest, self.first * 2.0 ** min(beyond - 1, 60)))

    def remaining(self, count: float, elapsed: float) -> float:
        """How much of that wait is left `elapsed` seconds after the last failure."""
        return max(0.0, self.wait(count) - max(0.0, elapsed))


#: One person from one address (or browser): a few slips of the finger, then about two guesses an hour.
PAIR = Bound(free=5, first=2, longest=30 * MINUTE, half_life=6 * HOUR)
#: One address, behind which a whole lab may sit: forty students with seven mistakes each wait for nothing. Kept short,
#: because it shuts out neighbours; that each person is guessed at seldom is the other bounds' work.
ADDRESS = Bound(free=300, first=1, longest=30, half_life=HOUR / 2)
#: One person from anywhere: more than somebody with half a dozen addresses can keep up.
PERSON = Bound(free=300, first=30, longest=15 * MINUTE, half_life=12 * HOUR)


def places(person: str, address: str, browser: str | None) -> Mapping[tuple[str, str], Bound]:
    """Where a failure of `person` counts: pairs of person and whereabouts, an empty text standing for all of them.

    Args:
        browser: the mark of a browser in which this person, and no other, is known to have logged in.
    """
    if browser:
        return {(person, f"browser {browser}"): PAIR}
    address = network(address)
    return {(person, address): PAIR, ("", address): ADDRESS, (person, ""): PERSON}


def network(address: str) -> str:
    """`address`, or the network that one IPv6 subscriber has whole."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address or "nowhere"
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return f"{IPv6Address(int(ip) >> 64 << 64)}/64"
    return str(ip)
