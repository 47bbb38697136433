"""Accounts: codes, passwords, and what guessing costs."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.hub.accounts import DAY, Accounts, Kind, Outcome, Verdict
from autograder.hub.lockout import ADDRESS, HOUR, PAIR, PERSON, Bound, network
from autograder.hub.passwords import ALPHABET, IS_CODE, IS_ID, TOO_COMMON, TOO_LONG, TOO_SHORT, Cost, PasswordRefused

#: Cheap enough to be worked out a thousand times.
CHEAP = Cost(n=2**4)
RIGHT, WRONG, MUST_CHOOSE = Outcome(Verdict.RIGHT), Outcome(Verdict.WRONG), Outcome(Verdict.MUST_CHOOSE)
HERE, THERE = "192.0.2.1", "192.0.2.2"
GOOD = "дарёи Варзоб"


class Clock:
    """Time that passes when it is told to."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(tmp_path: Path, clock: Clock) -> Accounts:
    return Accounts(tmp_path / "accounts.sqlite", cost=CHEAP, clock=clock)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Accounts:
    """One file for all examples of a property."""
    return Accounts(tmp_path_factory.mktemp("shared") / "accounts.sqlite", cost=CHEAP)


def with_password(accounts: Accounts, person: str = "s2301", password: str = GOOD) -> None:
    accounts.set_password(person, accounts.reset(person), password, "198.51.100.1")


def guess_until_locked(accounts: Accounts, person: str, address: str, browser: str | None = None) -> int:
    """How many guesses one gets before the first wait."""
    for count in range(10_000):
        if accounts.check(person, "a guess", address, browser).verdict is Verdict.LOCKED:
            return count
    raise AssertionError("never locked")


# Codes


def test_enrolling_gives_codes_to_those_without_an_account_and_leaves_others_as_they_are(accounts: Accounts) -> None:
    with_password(accounts, "s1")
    codes = accounts.enrol(["s2", "s1", "s3", "s2"])
    assert list(codes) == ["s2", "s3"] and accounts.enrol(["s1", "s2", "s3"]) == {}
    assert accounts.check("s1", GOOD, HERE) == RIGHT
    assert {person: account.kind for person, account in accounts.accounts().items()} == {
        "s1": Kind.PASSWORD,
        "s2": Kind.CODE,
        "s3": Kind.CODE,
    }


def test_a_code_has_ten_letters_that_nobody_takes_for_another(accounts: Accounts) -> None:
    codes = accounts.enrol([f"s{number}" for number in range(200)]).values()
    assert all(len(code) == 11 and code[5] == "-" and set(code.replace("-", "")) <= set(ALPHABET) for code in codes)
    assert len(set(codes)) == 200 and not set("IL1O0") & set(ALPHABET)


@given(st.data())
def test_a_code_may_be_typed_in_any_case_with_dashes_and_spaces_and_in_look_alikes(
    shared: Accounts, data: st.DataObject
) -> None:
    printed = shared.reset("s2301")
    code = data.draw(st.sampled_from([printed, printed.lower()]))
    twins = {"A": "А", "B": "В", "E": "Е", "K": "К", "M": "М", "H": "Н", "P": "Р", "C": "С", "T": "Т", "X": "Х"}
    typed = "".join(twins.get(letter, letter) if data.draw(st.booleans()) else letter for letter in code)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(typed)))
        typed = typed[:at] + data.draw(st.sampled_from([" ", "-", "–"])) + typed[at:]
    assert shared.check("s2301", typed, HERE) == MUST_CHOOSE


def test_a_code_works_once(accounts: Accounts) -> None:
    code = accounts.enrol(["s2301"])["s2301"]
    assert accounts.check("s2301", code, HERE) == MUST_CHOOSE
    assert accounts.set_password("s2301", code, GOOD, HERE) == RIGHT
    assert accounts.check("s2301", code, HERE) == WRONG
    assert accounts.set_password("s2301", code, "кӯҳи Помир", HERE) == WRONG


def test_of_two_who_use_a_code_at_once_one_wins(accounts: Accounts) -> None:
    for number in range(20):
        code = accounts.reset("s2301")
        with ThreadPoolExecutor(2) as pool:
            new = [f"{GOOD} {number} {side}" for side in "ab"]
            outcomes = [pool.submit(accounts.set_password, "s2301", code, text, HERE) for text in new]
            won = [text for text, outcome in zip(new, outcomes, strict=True) if outcome.result() == RIGHT]
        assert len(won) == 1 and accounts.check("s2301", won[0], HERE) == RIGHT


def test_a_code_expires_and_its_owner_is_told(accounts: Accounts, clock: Clock) -> None:
    code = accounts.enrol(["s2301"])["s2301"]
    clock.now += 29 * DAY
    assert accounts.check("s2301", code, HERE) == MUST_CHOOSE
    clock.now += 2 * DAY
    assert accounts.check("s2301", code, HERE) == Outcome(Verdict.EXPIRED)
    assert accounts.set_password("s2301", code, GOOD, HERE) == Outcome(Verdict.EXPIRED)
    assert accounts.check("s2301", "AAAAA-AAAAA", HERE) == WRONG
    assert accounts.check("s2301", accounts.reset("s2301"), HERE) == MUST_CHOOSE


def test_a_reset_ends_the_password_the_lock_and_the_sessions(accounts: Accounts) -> None:
    with_password(accounts)
    assert accounts.sessions_must_end("s2301") and not accounts.sessions_must_end("s2301")
    guess_until_locked(accounts, "s2301", HERE)
    code = accounts.reset("s2301")
    assert accounts.check("s2301", GOOD, HERE) == WRONG
    assert accounts.check("s2301", code, HERE) == MUST_CHOOSE
    assert accounts.sessions_must_end("s2301") and not accounts.sessions_must_end("s2301")


def test_whoever_is_removed_cannot_log_in(accounts: Accounts) -> None:
    with_password(accounts)
    accounts.remove(["s2301", "nobody"])
    assert accounts.check("s2301", GOOD, HERE) == WRONG and accounts.accounts() == {}


# Passwords

passwords = st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=60)


@given(passwords | st.text("абвгғӣқӯҳҷ яЯ -", min_size=8, max_size=40))
def test_any_password_opens_its_account_and_no_other_does(shared: Accounts, password: str) -> None:
    try:
        shared.set_password("s2302", shared.reset("s2302"), password, HERE)
    except PasswordRefused:
        return
    assert shared.check("s2302", password, HERE) == RIGHT
    for other in (password + "x", password + "\0", password[:-1]):
        assert shared.check("s2302", other, HERE) == WRONG


def test_a_password_is_the_same_from_every_keyboard(accounts: Accounts) -> None:
    with_password(accounts, password="кӯдаконӣ зебо")
    assert accounts.check("s2301", "ку\u0304дакони\u0304 зебо", HERE) == RIGHT


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("", TOO_SHORT),
        ("7 знаков"[:7], TOO_SHORT),
        ("ab" * 200, TOO_LONG),
        ("student-2301", IS_ID),
        ("STUDENT-2301", IS_ID),
        ("the code", IS_CODE),
        ("12345678", TOO_COMMON),
        ("987654321", TOO_COMMON),
        ("Password1", TOO_COMMON),
        ("qwertyuiop", TOO_COMMON),
        ("йцукенгш", TOO_COMMON),
        ("аааааааа", TOO_COMMON),
        ("Тоҷикистон", TOO_COMMON),
        ("         ", TOO_COMMON),
    ],
)
def test_a_poor_password_is_refused_and_nothing_changes(accounts: Accounts, new: str, why: str) -> None:
    code = accounts.enrol(["student-2301"])["student-2301"]
    with pytest.raises(PasswordRefused) as refusal:
        accounts.set_password("student-2301", code, code.lower() if new == "the code" else new, HERE)
    assert str(refusal.value) == why
    assert accounts.check("student-2301", code, HERE) == MUST_CHOOSE


def test_a_wrong_password_changes_nothing(accounts: Accounts) -> None:
    with_password(accounts)
    assert accounts.set_password("s2301", "not this", "кӯҳи Помир", HERE) == WRONG
    assert accounts.check("s2301", GOOD, HERE) == RIGHT


def test_hashes_grow_with_the_times_and_nobody_notices(tmp_path: Path) -> None:
    path = tmp_path / "accounts.sqlite"
    with_password(Accounts(path, cost=CHEAP))
    dear = Accounts(path, cost=Cost(n=2**6))
    assert dear.sessions_must_end("s2301")
    before = dear._find("s2301")
    assert dear.check("s2301", GOOD, HERE) == RIGHT
    after = dear._find("s2301")
    assert before and after and before[0].cost == CHEAP and after[0].cost == Cost(n=2**6)
    assert dear.check("s2301", GOOD, HERE) == RIGHT and not dear.sessions_must_end("s2301")


# Lock-out

bounds = st.builds(
    Bound,
    free=st.integers(1, 50),
    first=st.floats(1, 60),
    longest=st.floats(60, 3600),
    half_life=st.floats(3600, 1e5),
)


@given(bounds, st.integers(0, 5000), st.floats(0, 1e6))
def test_a_wait_begins_after_the_free_failures_doubles_and_stays_bounded(bound: Bound, n: int, elapsed: float) -> None:
    wait = bound.wait(n)
    assert (wait == 0) == (n <= bound.free) and wait <= bound.longest
    if n > bound.free:
        assert bound.wait(n + 1) == min(bound.longest, 2 * wait)
    assert 0 <= bound.remaining(n, elapsed) <= max(0.0, wait - elapsed)
    assert bound.remaining(n, -elapsed) == wait, "a clock that was set back makes no wait longer"
    assert bound.faded(n, elapsed) <= n and bound.faded(n, bound.half_life) == pytest.approx(n / 2)


def test_a_guesser_waits_longer_each_time(accounts: Accounts, clock: Clock) -> None:
    with_password(accounts)
    waits, guesses = [], 0
    end = clock.now + 24 * HOUR
    while clock.now < end:
        outcome = accounts.check("s2301", "a guess", HERE)
        if outcome.verdict is Verdict.LOCKED:
            waits.append(outcome.seconds)
            clock.now += outcome.seconds
        else:
            guesses += 1
    assert waits[:5] == [2, 4, 8, 16, 32] and max(waits) == PAIR.longest
    assert guesses < 70, "a day of guessing"
    clock.now += 2 * DAY
    assert accounts.check("s2301", GOOD, HERE) == RIGHT


def test_the_right_password_does_not_open_a_lock_and_costs_nothing_from_elsewhere(accounts: Accounts) -> None:
    with_password(accounts)
    assert guess_until_locked(accounts, "s2301", HERE) == PAIR.free + 1
    assert accounts.check("s2301", GOOD, HERE).verdict is Verdict.LOCKED
    assert accounts.check("s2301", GOOD, THERE) == RIGHT
    assert accounts.locked() == {"s2301": 2}
    accounts.unlock("s2301")
    assert accounts.locked() == {} and accounts.check("s2301", GOOD, HERE) == RIGHT


def test_forty_students_behind_one_address_who_mistype_seven_times_each_wait_for_nothing(accounts: Accounts) -> None:
    for number in range(40):
        assert [accounts.check(f"s{number}", "oops", HERE, f"browser{number}") for _ in range(2)] == [WRONG] * 2
        assert [accounts.check(f"s{number}", "oops", HERE) for _ in range(5)] == [WRONG] * 5
    with_password(accounts)
    assert accounts.check("s2301", GOOD, HERE) == RIGHT


def test_one_address_that_tries_everybody_is_slowed_down_and_known_browsers_are_not(accounts: Accounts) -> None:
    with_password(accounts)
    tried = 0
    while accounts.check(f"x{tried}", "a guess", HERE).verdict is Verdict.WRONG:
        tried += 1
    assert tried == ADDRESS.free + 1
    assert 0 < accounts.check("s2301", GOOD, HERE).seconds <= ADDRESS.longest
    assert accounts.check("s2301", GOOD, HERE, browser="a mark") == RIGHT
    assert accounts.check("s2301", GOOD, THERE) == RIGHT


def test_a_person_guessed_at_from_everywhere_is_safe_and_still_gets_in_from_a_known_browser(accounts: Accounts) -> None:
    with_password(accounts)
    tried = 0
    while accounts.check("s2301", "a guess", f"10.0.{tried // 250}.{tried % 250}").verdict is Verdict.WRONG:
        tried += 1
    assert tried == PERSON.free + 1
    assert 0 < accounts.check("s2301", GOOD, "10.9.9.9").seconds <= PERSON.longest
    assert accounts.check("s2301", GOOD, "10.9.9.9", browser="a mark") == RIGHT
    assert guess_until_locked(accounts, "s2301", "10.9.9.9", browser="a mark") == PAIR.free + 1


def test_a_thousand_guesses_at_once_are_no_better_than_one_after_another(accounts: Accounts) -> None:
    with_password(accounts)
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda _: accounts.check("s2301", "a guess", HERE), range(300)))
    assert outcomes.count(WRONG) == PAIR.free + 1


def test_logging_in_forgets_ones_own_slips_and_not_a_guessers(accounts: Accounts) -> None:
    with_password(accounts)
    with_password(accounts, "s2302")
    for _ in range(PAIR.free):
        accounts.check("s2301", "a slip", HERE)
        accounts.check("s2302", "a guess", HERE)
    assert accounts.check("s2301", GOOD, HERE) == RIGHT
    assert accounts.check("s2301", "a slip", HERE) == WRONG
    accounts.check("s2302", "a guess", HERE)
    assert accounts.check("s2302", "a guess", HERE).verdict is Verdict.LOCKED
    counts = {place: count for _, place, count, _ in accounts._connection().execute("SELECT * FROM failures")}
    assert counts[HERE] == pytest.approx(2 * PAIR.free + 2), "an address is not cleared by an account of one's own"


def test_locks_outlive_a_restart(accounts: Accounts, clock: Clock) -> None:
    with_password(accounts)
    guess_until_locked(accounts, "s2301", HERE)
    again = Accounts(accounts.path, cost=CHEAP, clock=clock)
    assert again.check("s2301", GOOD, HERE).verdict is Verdict.LOCKED


def test_somebody_unknown_is_answered_and_locked_like_anybody(accounts: Accounts) -> None:
    with_password(accounts)
    for person in ("s2301", "s9999", "no id at all!", "", "x" * 10_000, "a\0b"):
        first = accounts.check(person, "a guess", f"of {person[:9]}")
        assert first == WRONG and guess_until_locked(accounts, person, f"of {person[:9]}") == PAIR.free, person[:9]
    people = {row[0] for row in accounts._connection().execute("SELECT person FROM failures")}
    assert people == {"", "s2301", "s9999", "?"}, "what cannot be an id takes no room"


def test_somebody_unknown_costs_the_same_hash(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "accounts.sqlite")
    with_password(accounts)
    times: dict[str, list[float]] = {"s2301": [], "s9999": []}
    for _ in range(5):
        for person, seconds in times.items():
            before = time.process_time()
            accounts.check(person, "a guess", HERE)
            seconds.append(time.process_time() - before)
    known, unknown = (min(seconds) for seconds in times.values())
    assert 0.5 < known / unknown < 2


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        ("account 1007", "account 1007"),
    ],
)
def test_an_address_is_as_much_as_one_subscriber_has(address: str, where: str) -> None:
    assert network(address) == where


# The file


def test_the_file_is_the_owners_alone_and_holds_no_secret(accounts: Accounts) -> None:
    code = accounts.enrol(["s2302"])["s2302"]
    with_password(accounts)
    files = list(accounts.path.parent.glob("accounts.sqlite*"))
    assert len(files) == 3 and all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    content = b"".join(file.read_bytes() for file in files)
    assert (
        GOOD.encode() not in content and code.encode() not in content and code.replace("-", "").encode() not in content
    )


def test_what_instructors_did_stays_as_written(accounts: Accounts, clock: Clock) -> None:
    accounts.record("zarina", "reset", "s2301")
    for change in ("DELETE FROM acts", "UPDATE acts SET who = 'nobody'"):
        with pytest.raises(sqlite3.IntegrityError):
            accounts._connection().execute(change)
    [act] = accounts.acts()
    assert (act.at, act.who, act.act, act.whom) == (clock.now, "zarina", "reset", "s2301")


def test_processes_share_the_file(accounts: Accounts) -> None:
    program = """
import sys
from pathlib import Path
from autograder.hub.accounts import Accounts
from autograder.hub.passwords import Cost
accounts = Accounts(Path(sys.argv[1]), cost=Cost(n=16))
codes = accounts.enrol([f"s{number}" for number in range(100)])
for number in range(50):
    accounts.check("s1", "a guess", f"10.0.0.{number}")
print(len(codes))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", program, str(accounts.path)]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    given = [int(process.communicate(timeout=120)[0]) for process in running]
    assert sum(given) == 100 == len(accounts.accounts()), "each got a code once"
    [[count]] = accounts._connection().execute("SELECT count FROM failures WHERE person = 's1' AND place = ''")
    assert count == pytest.approx(150, abs=1)


def test_a_child_that_was_forked_opens_the_file_anew(accounts: Accounts) -> None:
    with_password(accounts)
    child = os.fork()
    if not child:
        os._exit(0 if accounts.check("s2301", GOOD, HERE) == RIGHT else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert accounts.check("s2301", GOOD, HERE) == RIGHT
