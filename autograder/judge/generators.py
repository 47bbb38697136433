"""The global random generators of random, numpy and torch, carried from the judge to the student's code and back.

All three are the Mersenne twister, so drawing moves the state along one fixed path. The student's process receives
states, and answers with *how far* it went along the path. It cannot put the judge's generators into a state of its
own making, which would let a student choose the random inputs of a test.
"""

from __future__ import annotations

import random
import sys
from importlib import import_module
from typing import Any

from autograder.judge.codec import CodecError

#: Numbers of 32 bits that may be drawn in one call; a generator that went further, or was seeded anew, stays put.
FARTHEST = 300_000
_BLOCK = 624


class _Python:
    def state(self) -> Any:
        return random.getstate()

    def set(self, state: Any) -> None:
        random.setstate(state)

    def words(self, state: Any) -> tuple[Any, int]:
        return state[1][:-1], state[1][-1]

    def skip(self, number: int) -> None:
        for part in range(0, number, 10_000):
            random.getrandbits(32 * min(10_000, number - part))


class _Numpy:
    def __init__(self) -> None:
        self._random: Any = sys.modules["numpy.random"]

    def state(self) -> Any:
        name, words, place, has_gauss, gauss = self._random.get_state()
        return name, words.tobytes(), place, has_gauss, gauss

    def set(self, state: Any) -> None:
        name, words, *rest = state
        self._random.set_state((name, sys.modules["numpy"].frombuffer(words, "uint32"), *rest))

    def words(self, state: Any) -> tuple[Any, int]:
        return state[1], state[2]

    def skip(self, number: int) -> None:
        self._random.bytes(4 * number)


class _Torch:
    """torch keeps a seed (8 bytes), words left, a flag, the place of the next word, and 624 words of 8 bytes."""

    def __init__(self) -> None:
        self._torch: Any = sys.modules["torch"]

    def state(self) -> Any:
        return self._torch.get_rng_state().numpy().tobytes()

    def set(self, state: Any) -> None:
        self._torch.set_rng_state(self._torch.frombuffer(bytearray(state), dtype=self._torch.uint8))

    def words(self, state: Any) -> tuple[Any, int]:
        left = int.from_bytes(state[8:12], "little")
        return state[24 : 24 + 8 * _BLOCK], _BLOCK - left + 1 if left > 1 else _BLOCK

    def skip(self, number: int) -> None:
        if number:
            self._torch.empty(number, dtype=self._torch.int32).random_()


def _kinds() -> dict[str, Any]:
    kinds: dict[str, Any] = {"random": _Python()}
    if hasattr(sys.modules.get("numpy.random"), "get_state"):
        kinds["numpy"] = _Numpy()
    if hasattr(sys.modules.get("torch"), "get_rng_state"):
        kinds["torch"] = _Torch()
    return kinds


def states() -> dict[str, Any]:
    """The states of the generators that are imported here, as plain data."""
    return {name: kind.state() for name, kind in _kinds().items()}


def set_states(given: dict[str, Any]) -> None:
    """Set the generators, and import what they belong to: a seed must hold for whoever imports it next."""
    for name, module in (("numpy", "numpy.random"), ("torch", "torch")):
        if name in given:
            import_module(module)
    for name, kind in _kinds().items():
        if name in given:
            kind.set(given[name])


def distances(before: dict[str, Any]) -> dict[str, int]:
    """How many numbers of 32 bits each generator drew since `before`; left out if it drew none, or left the path."""
    kinds = _kinds()
    found = {}
    for name, start in before.items():
        kind = kinds.get(name)
        if kind is None or (end := kind.state()) == start:
            continue
        if (number := _distance(kind, start, end)) is not None:
            found[name] = number
        kind.set(end)
    return found


def advance(numbers: Any) -> None:
    """Draw, and throw away, as many numbers as `distances` gave on the other side.

    Raises:
        CodecError: if that is not what `numbers` is.
    """
    kinds = _kinds()
    if type(numbers) is not dict or any(type(number) is not int for number in numbers.values()):
        raise CodecError("The message has random generators of an unknown form.")
    for name, number in numbers.items():
        if name in kinds and 0 <= number <= FARTHEST:
            kinds[name].skip(number)


def _distance(kind: Any, start: Any, end: Any) -> int | None:
    """Step along the path from `start` until the words of `end` come up; the place within them is then known."""
    words, place = kind.words(end)
    here, first = kind.words(start)
    if here == words:
        return int(place - first) if place >= first else None
    kind.set(start)
    gone = _BLOCK - first + 1
    kind.skip(gone)  # the first draw of a new block
    while gone <= FARTHEST:
        if kind.words(kind.state())[0] == words:
            return int(gone + place - 1)
        kind.skip(_BLOCK)
        gone += _BLOCK
    return None
