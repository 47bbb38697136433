"""What a test can do with a student's functions, classes and objects, as if they were in its own process."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from judge.students import Student, student

from autograder.judge.link import NotJudgeable
from autograder.judge.proxy import Refused, asked, is_proxy, vjp
from autograder.judge.wire import Misbehaved, Overdue
from autograder.student.protocol import TimeLimit, Wrong


def test_functions_take_and_give_data() -> None:
    with student("def f(a, *rest, b=1, **more): return a, rest, b, more") as s:
        assert s.f([1], 2.5, b=None, c={"ҷ": (1,)}) == ([1], (2.5,), None, {"c": {"ҷ": (1,)}})
        assert s.f.__name__ == "f" and s.f is s.f and len({s.f, s.f}) == 1


def test_types_are_exact() -> None:
    with student(
        "import numpy as np, collections\ndef f(): return np.float32(1), collections.Counter('aab'), True"
    ) as s:
        single, counter, truth = s.f()
        assert type(single) is np.float32 and type(counter) is Counter and counter == {"a": 2, "b": 1} and truth is True


def test_arguments_that_were_changed_come_back_changed_in_place() -> None:
    source = """
import numpy as np
def spoil(numbers, table, array, tensor):
    numbers.append(4); table["new"] = numbers; array[0] = 9; tensor.mul_(2)
"""
    with student(source) as s:
        numbers, table, array, tensor = [1], {"old": [2]}, np.zeros(2), torch.ones(2)
        old = table["old"]
        s.spoil(numbers, table, array, tensor=tensor)
        assert numbers == [1, 4] and table == {"old": [2], "new": [1, 4]} and table["old"] is old
        assert array.tolist() == [9, 0] and tensor.tolist() == [2, 2]


def test_global_data_is_the_students_own() -> None:
    with student("data = [1]\ndef add(): data.append(2)\ndef total(): return sum(data)") as s:
        data = s.data
        s.add()
        assert data == [1, 2] and s.data is data
        data.append(10)
        assert s.total() == 13


def test_large_data_crosses_once_in_a_cell() -> None:
    with student("import numpy as np\nlarge = np.zeros(10**6)\ndef put(): large[0] = 1") as s:
        large = s.large
        assert s.large is large and large.shape == (10**6,)
        s.link.settle()
        s.put()
        assert s.large[0] == 1


def test_a_module_of_the_students_own_stays_on_their_side() -> None:
    source = "import types, math as calculus\nmine = types.ModuleType('os')\nmine.system = lambda command: 'ran'"
    with student(source) as s:
        assert s.mine.system("true") == "ran" and is_proxy(s.mine)
        assert s.calculus is math


def test_objects_have_attributes_items_and_methods() -> None:
    source = """
class Field:
    size = 3
    def __init__(self, name): self.name, self.crops = name, []
    def plant(self, crop): self.crops.append(crop); return self
    def __len__(self): return len(self.crops)
    def __getitem__(self, place): return self.crops[place]
    def __setitem__(self, place, crop): self.crops[place] = crop
    def __contains__(self, crop): return crop in self.crops
    def __repr__(self): return f"Field({self.name!r})"
class Wide(Field): pass
"""
    with student(source) as s:
        field = s.Wide("upper")
        assert field.plant("cotton") is field and len(field) == 1 and field[0] == "cotton" and "wheat" not in field
        field[0] = "wheat"
        field.name = "lower"
        assert list(field) == ["wheat"] and str(field) == "Field('lower')" and f"{field}" == repr(field)
        field.crops.append("rice")
        assert len(field) == 2
        assert isinstance(field, s.Field) and issubclass(s.Wide, s.Field) and not isinstance(3, s.Field)
        assert hasattr(field, "plant") and not hasattr(field, "harvest") and s.Field.size == 3
        with pytest.raises(AttributeError, match="harvest"):
            field.harvest()


def test_generators_are_asked_for_one_item_at_a_time() -> None:
    with student("def count():\n    n = 0\n    while True:\n        yield n\n        n += 1") as s:
        assert list(islice(s.count(), 4)) == [0, 1, 2, 3]
        numbers = s.count()
        assert (next(numbers), next(numbers)) == (0, 1)


def test_context_managers_are_entered_and_left() -> None:
    source = """
class Gate:
    log = []
    def __enter__(self): self.log.append("open"); return self
    def __exit__(self, kind, error, where): self.log.append(kind and kind.__name__); return kind is KeyError
gate = Gate()
"""
    with student(source) as s:
        with s.gate as inside:
            assert inside is s.gate
        with s.gate:
            raise KeyError
        with pytest.raises(ValueError), s.gate:
            raise ValueError
        assert s.gate.log == ["open", None, "open", "KeyError", "open", "ValueError"]


def test_functions_of_the_test_are_called_back() -> None:
    with student("def apply(function, *args): return function(*args)\ndef twice(f): return lambda x: f(f(x))") as s:
        assert s.apply(lambda x, y: x * y, 6, 7) == 42
        assert s.apply(len, "abc") == 3 and s.apply(np.sum, [1, 2]) == 3
        seen: list[Any] = []
        s.apply(seen.append, {"a": 1})
        assert seen == [{"a": 1}]
        assert s.twice(lambda x: x + 1)(5) == 7
        assert s.apply(s.apply, lambda: "deep") == "deep"
        back = lambda: 1  # noqa: E731
        assert s.apply(lambda: back) is back
        assert list(s.apply(list, iter("ab"))) == ["a", "b"]


def test_exceptions_are_those_that_were_raised_with_the_students_traceback() -> None:
    source = """
import json
class Dry(ValueError):
    def __init__(self, litres, place): super().__init__(f"{litres} at {place}")
def missing(): raise KeyError("x")
def os(): open("/no/such/file")
def own(): raise Dry(3, "canal")
def library(): json.loads("{")
def unicode(): b"\\xff".decode()
"""
    with student(source) as s:
        with pytest.raises(KeyError) as error:
            s.missing()
        assert "in missing" in error.value.__ustod_student_traceback__  # type: ignore[attr-defined]
        with pytest.raises(FileNotFoundError) as problem:
            s.os()
        assert problem.value.errno == 2
        with pytest.raises(ValueError, match="3 at canal"):
            s.own()
        with pytest.raises(s.Dry):
            s.own()
        with pytest.raises(ValueError, match="Expecting"):
            s.library()
        with pytest.raises((UnicodeDecodeError, RuntimeError)):
            s.unicode()


def test_an_exception_of_the_tests_own_comes_home_as_itself() -> None:
    source = """
def passes_on(f): return f()
def swallows(f):
    try: f()
    except Exception as error: return type(error).__name__
"""
    with student(source) as s:
        mine = Wrong("hint", {"got": 1})

        def fail() -> None:
            raise mine

        with pytest.raises(Wrong) as error:
            s.passes_on(fail)
        assert error.value is mine
        assert s.swallows(lambda: 1 / 0) == "ZeroDivisionError"


def test_the_seed_of_a_test_holds_for_the_students_draws_and_the_tests_next_ones() -> None:
    with student(
        "import random, numpy, torch\ndef draw(): return random.random(), numpy.random.rand(), torch.rand(1)"
    ) as s:

        def seed() -> None:
            random.seed(1)
            np.random.seed(1)
            torch.manual_seed(1)

        seed()
        alone = [(random.random(), np.random.rand(), torch.rand(1)) for _ in range(2)]
        seed()
        assert [s.draw(), (random.random(), np.random.rand(), torch.rand(1))] == alone


@pytest.mark.parametrize(
    "act",
    [
        lambda x: x == 4, lambda x: x != 5, lambda x: x < 5, lambda x: x + 1, lambda x: 1 - x,
        lambda x: not x, float, int, abs, round, lambda x: abs(x - 4) < 1e-9, lambda x: x in [4],
        lambda x: np.allclose(x, 4), lambda x: np.asarray(x), lambda x: [1, 2][x], lambda x: max(x, 3),
    ],
)  # fmt: skip
def test_no_question_about_a_value_is_answered_by_the_student(act: Any) -> None:
    source = """
class Yes(float):
    def yes(self, *_): return True
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = yes
    def same(self, *_): return 0.0
    __add__ = __sub__ = __radd__ = __rsub__ = __abs__ = __float__ = __round__ = same
    def __index__(self): return 0
    __hash__ = float.__hash__
lie = Yes(2)
"""
    with student(source) as s:
        lie = s.lie
        assert is_proxy(lie) and not isinstance(lie, float)
        with pytest.raises(Refused) as error:
            act(lie)
        assert error.value.__dict__["__ustod_student_error__"]


def test_a_test_of_operators_asks_for_the_students_answer_by_name() -> None:
    source = "class V:\n    def __init__(self, x): self.x = x\n    def __add__(self, other): return V(self.x + other.x)"
    with student(source) as s:
        assert asked("add", s.V(1), s.V(2)).x == 3


def test_modules_of_torch_are_called_trained_and_read() -> None:
    with student("import torch\nnet = torch.nn.Linear(2, 1)\ndef f(x): return (x ** 3).sum()") as s:
        assert isinstance(s.net, torch.nn.Module)
        s.net.load_state_dict({"weight": torch.tensor([[2.0, 3.0]]), "bias": torch.tensor([1.0])})
        assert s.net(torch.ones(1, 2)).item() == 6
        assert [tuple(parameter.shape) for parameter in s.net.parameters()] == [(1, 2), (1,)]
        assert list(s.net.state_dict()) == ["weight", "bias"]
        (gradient,) = vjp(s.f, [torch.tensor([1.0, 2.0])], torch.tensor(1.0))
        assert gradient.tolist() == [3, 12]


def test_what_cannot_be_passed_is_the_tests_fault() -> None:
    with student("def f(x): return x") as s:
        with pytest.raises(NotJudgeable, match="ustod-in-kernel"):
            s.f(open("/dev/null"))  # noqa: SIM115
        assert s.f(1) == 1


def test_objects_that_the_judge_has_forgotten_are_let_go() -> None:
    source = "import weakref\nalive = weakref.WeakSet()\nclass A: pass\ndef make(): a = A(); alive.add(a); return a"
    with student(source) as s:
        for _ in range(20):
            s.make()
        assert len(s.alive) <= 2


def test_a_limit_of_cpu_time_ends_the_students_loop_and_the_conversation_goes_on() -> None:
    with student("def forever():\n    while True: pass\ndef f(): return 1") as s:
        s.link.seconds = 0.2
        with pytest.raises(TimeLimit):
            s.forever()
        assert s.f() == 1


def test_a_deadline_ends_the_wait_and_the_conversation_goes_on() -> None:
    with student("import time\ndef sleep(): time.sleep(60)\ndef f(): return 1") as s:
        s.link.deadline = time.monotonic() + 0.2
        with pytest.raises(Overdue):
            s.sleep()
        s.link.deadline = None
        assert s.f() == 1


def test_a_process_that_ends_is_told_as_such_from_then_on() -> None:
    with student("import os\ndef end(): os._exit(0)\ndef f(): return 1") as s:
        for name in ("end", "end"):
            with pytest.raises(Misbehaved, match="ended"):
                getattr(Student(s.link), name)()
