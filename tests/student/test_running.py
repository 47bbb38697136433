"""One check, six states, never mixed up."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.student.protocol import Check, TimeLimit
from autograder.student.running import SHOWN_CHARACTERS, Outcome, State, run_check, shown, time_limit

DOUBLE = "expect(student.double(3) == 6, hint='Twice.', input=3)"

STATES = [
    # the learner's cell, the check, the state
    pytest.param("def double(x): return 2 * x", DOUBLE, State.RIGHT, id="right"),
    pytest.param("double = lambda x: x + x", DOUBLE, State.RIGHT, id="a lambda is right"),
    pytest.param("def double(x): return x", DOUBLE, State.WRONG, id="wrong"),
    pytest.param("def double(x): return None", DOUBLE, State.WRONG, id="nothing returned"),
    pytest.param("double = 5", "expect(student.double == 6)", State.WRONG, id="a plain value is wrong"),
    pytest.param("def double(x): return x", "assert student.double(1) == 2, 'Twice.'", State.WRONG, id="plain assert"),
    pytest.param("", DOUBLE, State.NOT_ATTEMPTED, id="no such name"),
    pytest.param("def double(x): raise NotImplementedError()", DOUBLE, State.NOT_ATTEMPTED, id="untouched stub"),
    pytest.param("def double(x): raise NotImplementedError", DOUBLE, State.NOT_ATTEMPTED, id="stub without call"),
    pytest.param("def double(x): return 2 * y", DOUBLE, State.CRASHED, id="undefined name within"),
    pytest.param("def double(): return 6", DOUBLE, State.CRASHED, id="too few parameters"),
    pytest.param("def double(x, y): return 6", DOUBLE, State.CRASHED, id="too many parameters"),
    pytest.param("def double(x): return 1 / 0", DOUBLE, State.CRASHED, id="an exception"),
    pytest.param("def double(x): assert x == 4; return 2 * x", DOUBLE, State.CRASHED, id="the learner's own assert"),
    pytest.param("def double(x): exit()", DOUBLE, State.CRASHED, id="exit"),
    pytest.param("import sys\ndef double(x): sys.exit('done')", DOUBLE, State.CRASHED, id="sys.exit"),
    pytest.param("def double(x): return double(x)", DOUBLE, State.CRASHED, id="endless recursion"),
    pytest.param("def double(x): raise StopIteration", DOUBLE, State.CRASHED, id="StopIteration"),
    pytest.param("def double(x): raise GeneratorExit", DOUBLE, State.CRASHED, id="GeneratorExit"),
    pytest.param("def double(x):\n    print(x)\n    return 2 * x", DOUBLE, State.RIGHT, id="prints"),
    pytest.param(
        "import sys\ndef double(x):\n    print('!', file=sys.stderr)\n    return 2 * x",
        DOUBLE,
        State.RIGHT,
        id="stderr",
    ),
    pytest.param("def double(x): return 6", "int('a')", State.FAULT, id="the check crashes"),
    pytest.param("def double(x): return 6", "raise NotImplementedError", State.FAULT, id="an unfinished check"),
    pytest.param("def double(x): return 6", "exit()", State.FAULT, id="a check that exits"),
    pytest.param("def double(x): return 6", "student.double(3) + 'a'", State.FAULT, id="the check misuses the answer"),
    pytest.param("def double(x): return 6", "helper_of_the_check('a')", State.FAULT, id="the check's helper crashes"),
]


@pytest.mark.parametrize(("cell", "body", "state"), STATES)
def test_every_state_arises_as_it_should(ask: Any, cell: str, body: str, state: State) -> None:
    outcome = ask(cell, body)
    assert outcome.state is state, outcome.traceback
    assert outcome.score == (2 if state in (State.RIGHT, State.FAULT) else 0)
    assert bool(outcome.traceback) == (state in (State.CRASHED, State.FAULT))


class TestWorkOfEveryShape:
    def test_a_class_and_its_methods(self, ask: Any) -> None:
        cell = """
        class Account:
            def __init__(self, start): self.balance = start
            def pay(self, amount): self.balance += amount
            def drain(self): return 1 / 0
            def close(self): raise NotImplementedError()
        """
        pay = "a = student.Account(3)\na.pay(4)\nexpect(a.balance == {})"
        assert ask(cell, pay.format(7)).state is State.RIGHT
        assert ask(cell, pay.format(8)).state is State.WRONG
        assert ask(cell, "student.Account(3).drain()").state is State.CRASHED
        assert ask(cell, "student.Account(3).close()").state is State.NOT_ATTEMPTED
        assert ask(cell, "student.Account()").state is State.CRASHED
        assert ask(cell, "student.Account(3).spend()").state is State.CRASHED

    def test_a_generator(self, ask: Any) -> None:
        cell = "def count(n):\n    for i in range(n): yield i\n    if n > 3: 1 / 0"
        assert ask(cell, "expect(list(student.count(3)) == [0, 1, 2])").state is State.RIGHT
        assert ask(cell, "expect(list(student.count(2)) == [0])").state is State.WRONG
        assert ask(cell, "list(student.count(4))").state is State.CRASHED
        assert ask(cell, "expect(next(student.count(1)) == 0)").state is State.RIGHT

    def test_containers_and_context_managers_of_the_learners_own(self, ask: Any) -> None:
        cell = """
        class Bag:
            def __init__(self, *items): self.items = items
            def __len__(self): return len(self.items)
            def __getitem__(self, i): return self.items[i]
            def __contains__(self, item): return item in self.items
            def __enter__(self): return self
            def __exit__(self, *error): return True
            def __repr__(self): return f"Bag{self.items}"
        """
        body = """
        bag = student.Bag(4, 5)
        expect(len(bag) == 2 and bag[1] == 5 and 4 in bag and list(bag) == [4, 5] and repr(bag) == "Bag(4, 5)")
        with bag as inner:
            expect(len(inner) == 2)
            bag.items = ()
            expect(len(inner) == 0)
        """
        assert ask(cell, body).state is State.RIGHT
        assert ask(cell, "student.Bag()[7]").state is State.CRASHED

    def test_an_object_inside_a_list_that_crashes_is_the_learners_crash(self, ask: Any) -> None:
        cell = """
        class Node:
            def backward(self): return 1 / 0
            def forward(self): raise NotImplementedError()
            def __eq__(self, other): return other.missing
        def nodes(): return [Node(), Node()]
        """
        assert ask(cell, "for node in student.nodes(): node.backward()").state is State.CRASHED
        assert ask(cell, "for node in student.nodes(): node.forward()").state is State.NOT_ATTEMPTED
        assert ask(cell, "expect(student.nodes() == [1, 2])").state is State.CRASHED

    def test_proxies_given_back_to_the_learner_are_the_learners_own_objects(self, ask: Any) -> None:
        cell = "class Point: pass\ndef is_point(p): return type(p) is Point\ndef call(f, x): return f(x)"
        assert ask(cell, "expect(student.is_point(student.Point()))").state is State.RIGHT
        assert ask(cell, "expect(student.call(f=student.is_point, x=3) is False)").state is State.RIGHT


class TestExceptionsOfTheLearner:
    @pytest.mark.parametrize(
        "kind",
        [
            "def __setattr__(self, name, value): raise TypeError('no attributes')",
            "__slots__ = ()",
            "__dict__ = property(lambda self: 1 / 0)",
            "def __str__(self): raise ValueError",
            "def __str__(self): exit()",
            "def __getattribute__(self, name): raise AttributeError(name)",
        ],
    )
    def test_a_class_that_refuses_to_be_looked_at_is_a_crash(self, ask: Any, kind: str) -> None:
        cell = f"class Odd(Exception):\n    {kind}\ndef double(x): raise Odd('odd')"
        assert ask(cell, DOUBLE).state is State.CRASHED

    def test_one_that_the_learner_catches_changes_nothing(self, ask: Any) -> None:
        cell = "def double(x):\n    try: return helper(x)\n    except Exception: return 2 * x"
        assert ask(cell, DOUBLE).state is State.RIGHT

    def test_one_raised_from_another_is_shown_from_the_learners_line(self, ask: Any) -> None:
        cell = (
            "def double(x):\n    try: 1 / 0\n    except ZeroDivisionError as error: raise ValueError('bad') from error"
        )
        outcome = ask(cell, DOUBLE)
        assert outcome.state is State.CRASHED
        assert outcome.traceback.endswith("ValueError: bad")


class TestObjectsOfTheLearnersThatTheCheckHandsBack:
    CELL = """
class V:
    def __init__(self, x): self.x = x
def add(parts): return sum(type(v) is V and v.x for v in parts)
"""

    @pytest.mark.parametrize(
        "given",
        ["[student.V(1), student.V(2)]", "(student.V(1), student.V(2))", "{student.V: student.V(3)}.values()"],
    )
    def test_arrive_as_they_are_in_containers_too(self, ask: Any, given: str) -> None:
        assert ask(self.CELL, f"expect(student.add(list({given})) == 3, hint='')").state is State.RIGHT

    def test_arrive_as_they_are_deep_within(self, ask: Any) -> None:
        cell = f"{self.CELL}\ndef deep(x): return add(x['a'][0])"
        assert ask(cell, "expect(student.deep({'a': ([student.V(3)],)}) == 3, hint='')").state is State.RIGHT

    def test_leave_a_list_without_them_as_it_is(self, ask: Any) -> None:
        cell = "def fill(x): x.append(1)"
        assert ask(cell, "x = [[]]\nx.append(x)\nstudent.fill(x)\nexpect(x[-1] == 1, hint='')").state is State.RIGHT


class TestFunctionsOfTheCheckThatTheLearnerCalls:
    def test_that_fail_are_a_fault(self, ask: Any) -> None:
        cell = "def apply(f): return f(3)"
        assert ask(cell, "student.apply(lambda x: x + 'a')").state is State.FAULT

    def test_that_fail_inside_a_library_are_a_fault(self, ask: Any) -> None:
        cell = "def apply(f): return f(3)"
        assert ask(cell, "import json\nstudent.apply(lambda x: json.loads('{'))").state is State.FAULT

    def test_that_find_the_answer_wrong_say_so(self, ask: Any) -> None:
        cell = "def apply(f): return f(3)"
        assert ask(cell, "student.apply(lambda x: expect(x == 4, hint='Four.'))").hint == "Four."

    def test_that_call_the_learner_again_leave_the_crash_with_the_learner(self, ask: Any) -> None:
        cell = "def apply(f): return f(3)\ndef bad(x): return 1 / 0"
        assert ask(cell, "student.apply(lambda x: student.bad(x))").state is State.CRASHED

    def test_that_the_learner_calls_with_the_wrong_arguments_are_the_learners_crash(self, ask: Any) -> None:
        assert ask("def apply(f): return f(1, 2)", "student.apply(lambda x: x)").state is State.CRASHED

    def test_whose_failure_the_learner_catches_are_no_fault(self, ask: Any) -> None:
        cell = "def apply(f):\n    try: return f(3)\n    except TypeError: return 0"
        assert ask(cell, "expect(student.apply(lambda x: x + 'a') == 0)").state is State.RIGHT


class TestTime:
    LOOPS = (
        pytest.param("while True: pass", id="endless"),
        pytest.param("while True:\n        try: pass\n        except Exception: pass", id="except Exception inside"),
        pytest.param("try:\n        while True: pass\n    except Exception: return 6", id="except Exception around"),
        pytest.param("try:\n        while True: pass\n    except: return 6", id="bare except around"),
        pytest.param("try:\n        while True: pass\n    finally: return 6", id="finally returns"),
        pytest.param("import time; time.sleep(60)", id="sleeps"),
        pytest.param("import itertools; sum(1 for _ in itertools.count())", id="in a generator"),
    )

    @pytest.mark.parametrize("loop", LOOPS)
    def test_work_without_end_times_out(self, ask: Any, loop: str) -> None:
        start = time.monotonic()
        outcome = ask(f"def double(x):\n    {loop}", DOUBLE, seconds=0.1)
        assert outcome.state is State.TIMED_OUT
        assert outcome.score == 0
        assert time.monotonic() - start < 10

    def test_swallowing_the_end_twice_does_not_help(self, ask: Any) -> None:
        cell = """
        def double(x):
            for attempt in range(2):
                try:
                    while True: pass
                except: pass
            return 6
        """
        assert ask(cell, DOUBLE, seconds=0.1).state is State.TIMED_OUT

    def test_a_repr_without_end_times_out(self, ask: Any) -> None:
        cell = "class Odd:\n    def __repr__(self):\n        while True: pass\ndef double(x): return Odd()"
        body = "got = student.double(3)\nexpect(False, hint='Twice.', got=got)"
        assert ask(cell, body, seconds=0.1).state is State.TIMED_OUT

    def test_a_check_that_never_ends_times_out_too(self, ask: Any) -> None:
        assert ask("", "while True: pass", seconds=0.1).state is State.TIMED_OUT

    def test_enough_time_leaves_no_timer_behind(self, ask: Any) -> None:
        before = [signal.getsignal(number) for number in (signal.SIGPROF, signal.SIGALRM)]
        assert ask("def double(x): return 6", DOUBLE).state is State.RIGHT
        assert [signal.getsignal(number) for number in (signal.SIGPROF, signal.SIGALRM)] == before
        assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)

    def test_an_alarm_that_was_set_before_goes_on(self) -> None:
        rang = []
        before = signal.signal(signal.SIGALRM, lambda number, frame: rang.append(number))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with time_limit(5):
                time.sleep(0.05)
            assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.3
            time.sleep(0.5)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert rang == [signal.SIGALRM]

    def test_off_the_main_thread_the_body_is_not_limited(self, ask: Any) -> None:
        outcomes: list[Outcome] = []
        thread = threading.Thread(target=lambda: outcomes.append(ask("def double(x): return 6", DOUBLE)))
        thread.start()
        thread.join()
        assert outcomes[0].state is State.RIGHT

    def test_the_exception_is_none_that_except_exception_catches(self) -> None:
        assert not issubclass(TimeLimit, Exception)


def test_an_interrupt_from_the_keyboard_goes_on(ask: Any) -> None:
    cell = "import os, signal\ndef double(x): os.kill(os.getpid(), signal.SIGINT)\n"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ask(cell, DOUBLE)
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_the_learner_prints_is_seen_nowhere(ask: Any, capfd: pytest.CaptureFixture[str]) -> None:
    cell = """
    import logging, os, sys
    handler = logging.StreamHandler(sys.stderr)
    logger = logging.getLogger("learner")
    logger.addHandler(handler)
    def double(x):
        print("print")
        print("stderr", file=sys.stderr)
        logger.warning("logged")
        os.write(1, b"bytes")
        os.write(2, b"bytes")
        return 2 * x
    """
    print("before", flush=True)
    assert ask(cell, DOUBLE).state is State.RIGHT
    print("after")
    assert capfd.readouterr() == ("before\nafter\n", "")


class TestTracebacks:
    SECRET = "secret_value = 41  # SECRET\nstudent.double(secret_value + 1)"

    @pytest.mark.parametrize(
        "cell",
        [
            "def double(x): return 1 / 0",
            "def double(): return 1",
            "def double(x): return helper(x)\ndef helper(x): return x.foo",
            "def double(x): exit()",
            "class double:\n    def __init__(self, x): self.y",
        ],
    )
    def test_never_quote_a_check(self, ask: Any, cell: str) -> None:
        text = ask(cell, self.SECRET).traceback
        assert text
        assert "SECRET" not in text and "secret_value" not in text and "checks of" not in text
        assert "autograder" not in text

    def test_never_quote_a_check_that_the_learner_calls_back(self, ask: Any) -> None:
        cell = "def bad(x): return 1 / 0\ndef apply(f): return f(3)"
        text = ask(cell, "student.apply(lambda secret_value: student.bad(secret_value))").traceback
        assert "secret_value" not in text and "autograder" not in text
        assert "return 1 / 0" in text

    def test_show_the_learners_lines_and_end_with_the_error(self, ask: Any) -> None:
        text = ask("def double(x):\n    return 1 / 0", DOUBLE).traceback
        assert text.startswith('  File "<a learner\'s cell>", line 2, in double\n    return 1 / 0')
        assert text.endswith("ZeroDivisionError: division by zero")

    def test_of_a_wrong_signature_are_the_sentence_alone(self, ask: Any) -> None:
        text = ask("def double(): return 1", DOUBLE).traceback
        assert text == "TypeError: double() takes 0 positional arguments but 1 was given"

    def test_of_a_fault_show_the_check_for_the_instructor(self, ask: Any) -> None:
        assert "the_check" in ask("", "int('a')").traceback


class TestPublicChecks:
    """They are defined in the learner's own namespace."""

    def check(self, namespace: dict[str, Any], body: str) -> Outcome:
        source = f"def public(student, rng):\n    'It holds.'\n    {body}\n"
        exec(compile(source, "<the check cell>", "exec"), namespace)
        return run_check(Check.of(namespace["public"], "x", 0, 5), namespace, 1)

    def test_that_crash_themselves_are_a_fault(self, learner: Any) -> None:
        assert self.check(learner(""), "int('a')").state is State.FAULT

    def test_show_a_crash_of_the_learner_without_their_own_lines(self, learner: Any) -> None:
        outcome = self.check(learner("def double(x): return 1 / 0"), "student.double(1)")
        assert outcome.state is State.CRASHED
        assert "student.double" not in outcome.traceback

    def test_see_a_crash_inside_a_list(self, learner: Any) -> None:
        namespace = learner("class Node:\n    def go(self): return 1 / 0\ndef nodes(): return [Node()]")
        assert self.check(namespace, "student.nodes()[0].go()").state is State.CRASHED


class TestSeeds:
    BODY = "expect(False, a=rng.random(), b=rng.randint(0, 10**9))"

    def test_the_same_seed_repeats_the_run(self, ask: Any) -> None:
        assert ask("", self.BODY, seed=7).evidence == ask("", self.BODY, seed=7).evidence

    def test_another_seed_is_another_run(self, ask: Any) -> None:
        assert ask("", self.BODY, seed=7).evidence != ask("", self.BODY, seed=8).evidence

    def test_the_learners_global_generator_repeats_too(self, ask: Any) -> None:
        cell = "import random\nrandom.seed(5)\ndef draw(): return random.random()"
        body = "expect(False, got=student.draw())"
        state = random.getstate()
        first = ask(cell, body, seed=7).evidence
        random.seed(99)
        assert ask(cell, body, seed=7).evidence == first
        random.setstate(state)

    def test_the_outcome_carries_it(self, ask: Any) -> None:
        assert ask("", "pass", seed=123).seed == 123


class TestShown:
    def test_short_values_are_their_repr(self) -> None:
        assert shown([1, "a"]) == "[1, 'a']"

    def test_a_text_of_several_lines_keeps_them(self) -> None:
        assert shown("a\nb") == "a\nb"

    @given(st.text(max_size=2000))
    def test_is_never_longer_than_a_screenful(self, text: str) -> None:
        assert len(shown(text)) <= SHOWN_CHARACTERS

    def test_a_long_value_keeps_both_ends(self) -> None:
        text = shown(list(range(1000)))
        assert text.startswith("[0, 1, 2") and text.endswith("998, 999]") and " … " in text

    @pytest.mark.parametrize("act", ["raise ValueError", "exit()", "return 3", "return repr(self)"])
    def test_survives_a_hostile_repr(self, learner: Any, act: str) -> None:
        thing = learner(f"class Odd:\n    def __repr__(self): {act}")["Odd"]()
        assert shown(thing).startswith("<Odd, whose repr raises ")


OUTCOMES = st.builds(
    Outcome,
    st.text(),
    st.text(),
    st.floats(0, 100),
    st.sampled_from(State),
    hint=st.text(),
    evidence=st.dictionaries(st.text(), st.text()),
    traceback=st.text(),
    seed=st.integers(0, 10**6),
    missing=st.text(),
)


@given(OUTCOMES)
def test_an_outcome_survives_json(outcome: Outcome) -> None:
    assert Outcome.from_dict(json.loads(json.dumps(outcome.as_dict()))) == outcome
