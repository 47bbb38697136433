"""A student's process that lies in every way open to it gains no point by it."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from judge.students import Case, answer, locked, ordinary, points, read_cases, run, scored
from nbformat import NotebookNode

from autograder.judge.codec import decode, encode
from autograder.judge.wire import Channel, Misbehaved

TEST = "assert f(2) == 4 and f(3) == 9"
IMPORTS = ordinary("import numpy as np\nimport math")


def notebook(attack: str, test: str = TEST) -> list[NotebookNode]:
    return [IMPORTS, locked("def close(a, b): return abs(a - b) < 1e-9"), answer(attack), scored(test)]


@pytest.mark.parametrize("case", read_cases("lies.txt"), ids=str)
def test_no_lie_gains_a_point(case: Case) -> None:
    assert points(notebook(case.work, case.test)) == [case.score]


def test_the_repr_of_a_students_object_is_no_score() -> None:
    source = "class Y:\n    def __repr__(self): return '2.0'\n    _repr_html_ = __repr__\ndef f(x): return Y()"
    outputs = run(notebook(source, "f(2)")).outputs[-1]
    assert [output.output_type for output in outputs] == ["stream"]


def test_exceptions_that_kill_the_process_are_no_raised_exceptions() -> None:
    test = "import pytest\nwith pytest.raises(Exception): f(2)"
    assert points(notebook("import os\ndef f(x): os._exit(0)", test)) == [0.0]


FLOOD = "def f(x):\n    for _ in range(3): print('x' * 400_000)\n    return 5"


@pytest.mark.parametrize(
    "test",
    ["f(1), f(2)\nassert f(2) == 4", "f(1), f(2)\nnumber = int(f(2) == 4)\nnumber", "assert f(2) == 4, 'x' * 10**7"],
    ids=["an error", "a score", "a long message"],
)
def test_a_flood_of_text_leaves_room_for_what_the_test_says(test: str) -> None:
    assert points(notebook(FLOOD, test)) == [0.0]


@pytest.mark.parametrize("caught", ["Exception", "BaseException"])
def test_the_end_of_the_time_is_no_exception_of_the_students(caught: str) -> None:
    """Even if the test catches it and goes on."""
    test = f"try:\n    f(2)\nexcept {caught}:\n    pass\nelse:\n    raise AssertionError"
    assert points(notebook("def f(x): raise ValueError", test), seconds=20) == [2.0]
    assert points(notebook("import time\ndef f(x): time.sleep(60)", test), seconds=0.3) == [0.0]


@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "StopIteration", "Exception"])
def test_an_exception_that_a_notebook_shows_in_no_other_way_is_an_error(error: str) -> None:
    assert points(notebook(f"def f(x): raise {error}", "f(2)")) == [0.0]


def test_a_callback_gives_no_way_into_the_judge() -> None:
    attack = """
def f(back):
    places = [getattr(back, "__globals__", {}), vars(back)]
    places += [cell.cell_contents for cell in back.__closure__ or ()]
    return any("secret" in str(getattr(place, "__dict__", place)) for place in places)
"""
    assert points(notebook(attack, "secret = 7\nassert f(lambda x: secret) is False")) == [2.0]


# A process that speaks the protocol itself


def liar(reply: Callable[[tuple[Any, ...]], bytes | None]) -> Callable[[int], None]:
    """A student's process that answers each message with what `reply` makes of it."""

    def life(fd: int) -> None:
        channel = Channel(socket.socket(fileno=fd))
        while True:
            try:
                message = decode(channel.receive(), lambda payload: payload)
            except Misbehaved:
                return
            told = reply(message)
            if told is not None:
                channel.send(told)

    return life


def answering(kind: str, value: Any = None, about: Any = None) -> Callable[[tuple[Any, ...]], bytes]:
    return lambda message: encode((message[0], kind, value, about or {}), lambda other: ("object", 1, []))


def with_reference(*payload: Any) -> Callable[[tuple[Any, ...]], bytes]:
    return lambda message: encode((message[0], "return", (True, ("given", object())), {}), lambda _: payload)


@pytest.mark.parametrize(
    "reply",
    [
        answering("return"), answering("return", True), answering("return", (True, ("given", 4))),
        answering("return", (True, ("lent", 1, [4]))), answering("return", (True, ("again", 9))),
        answering("return", [[], False]), answering("return", ([{"output_type": "execute_result"}], False)),
        answering("again", 1), answering("late"), answering("raise", None), answering("raise", ([], None, "", "")),
        answering("raise", ([["builtins", "int"]], None, "", "")), answering("execute", "print(1)"), answering(""),
        answering("raise", ([["autograder.student.protocol", "NotAttempted"]], ["x"], "", "")),
        answering("raise", ([["_pytest.outcomes", "Skipped"], ["builtins", "BaseException"]], None, "", "")),
        answering("return", (True, ("given", 4)), {"drawn": {"random": 10**12}}),
        answering("return", (True, ("given", 4)), {"drawn": 7, "loans": 7, "changed": 7, "text": 7}),
        answering("return", (True, ("given", 4)), {"changed": [(0, "x"), ("k", 1)], "loans": [(1, 2)]}),
        answering("call", (0, [], {})), answering("call", (1, "", {})), answering("call", (1, [], {})),
        lambda message: encode((message[0] + 1, "return", (True, ("given", 4)), {})),
        lambda message: encode((message[0], "return")), lambda message: b"", lambda message: b"\xc1" * 100,
        lambda message: b"\xdd\xff\xff\xff\xff", lambda message: None,
        with_reference("back", 1), with_reference("module", 1, "os"), with_reference("module", 1, "__main__"),
        with_reference("pickle", b"cos\nsystem\n(S'true'\ntR."), with_reference("global", "os", "system"),
        with_reference("own", 1), with_reference("object", "one", []), with_reference("object", 1, [["", "int"]]),
        with_reference("exception", 1, [["builtins", "AssertionError"]]),
    ],
)  # fmt: skip
def test_a_process_that_speaks_the_protocol_itself_ends_in_no_points(reply: Any) -> None:
    assert points(notebook("def f(x): return 1"), liar(reply), seconds=0.1) == [0.0]


def test_answering_right_is_the_one_thing_that_it_can_do() -> None:
    def reply(message: tuple[Any, ...]) -> bytes:
        number, operation, args, _ = message
        told: Any = {"execute": ([], False), "lookup": (True, ("given", object())), "settle": None}.get(operation)
        if operation == "call":
            told = args[1][0] ** 2
        return encode((number, "return", told, {}), lambda _: ("object", 1, []))

    assert points(notebook(""), liar(reply)) == [2.0]


@pytest.mark.parametrize(
    "noise",
    [b"", b"\0", b"GET / HTTP/1.1\r\n\r\n", struct.pack("!I", 2**32 - 1), struct.pack("!I", 5) + b"abc", b"\0" * 10**6],
)
def test_noise_in_the_place_of_the_protocol_ends_in_no_points(noise: bytes) -> None:
    def life(fd: int) -> None:
        end = socket.socket(fileno=fd)
        end.sendall(noise)
        time.sleep(60)

    assert points(notebook("def f(x): return 1"), life, seconds=0.1) == [0.0]


def test_a_flood_of_calls_ends_with_the_time_of_the_cell() -> None:
    def life(fd: int) -> None:
        channel = Channel(socket.socket(fileno=fd))
        number, *_ = decode(channel.receive(), lambda payload: payload)
        while True:
            channel.send(encode((number, "call", (0, [], {}), {})))

    assert points(notebook("def f(x): return 1"), life, seconds=0.1) == [0.0]


def test_a_message_nested_in_itself_is_refused() -> None:
    row = [1, "return", 5] + [4, 1] * 100_000
    deep = b"".join(map(msgpack.packb, [5, 4, *row]))
    assert points(notebook("def f(x): return 1"), liar(lambda _: deep), seconds=1) == [0.0]


def test_outputs_that_no_notebook_may_hold_are_replaced() -> None:
    odd = [{"output_type": "stream", "name": "stdout", "text": 7}, {"output_type": "error"}, 7, {"output_type": []}]
    odd += [{"output_type": "display_data", "data": {"text/plain": b"x"}, "metadata": {}}]
    (outputs,) = run([ordinary("")], liar(answering("return", (odd, False)))).outputs
    assert [output.output_type for output in outputs] == ["stream"] * 5
