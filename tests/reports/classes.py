"""A class of made-up students and what they handed in, graded: for reports, feedback and exports.

Every answer to every exercise that anybody gives is graded once by the engine. Then each student's notebook is put
together from the answers that they gave, with what the checks said of each, and recorded as `ustod grade` records it:
the same rows in the gradebook, the same files, and `ustod grade` afterwards finds nothing to do. What a check says of
one exercise does not depend on the answers to others; `ustod verify` holds every unit to that.

From the top of the checkout, for looking at: PYTHONPATH=tests python -m reports.classes FOLDER [SIZE]
"""

from __future__ import annotations

import copy
import math
import random
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from reports.hands import copied_with_other_names, own_hand, with_other_remarks
from shared import SUMS

from autograder.authoring.agreement import submit
from autograder.authoring.build import build_course
from autograder.authoring.notebook import put_answers
from autograder.authoring.unit import Unit, find_units, read_unit
from autograder.authoring.variants import read_variants
from autograder.grading.course import Course, open_course
from autograder.grading.demo import with_body
from autograder.grading.engine import grade
from autograder.grading.plan import Task, plan
from autograder.grading.record import record
from autograder.grading.run import Result

#: Units whose answers are graded in seconds.
UNITS = ("u01", "u04", "u11")
SIZE = 200
TERM = datetime(2026, 9, 7, 6, 0, tzinfo=UTC)
WEEKS_EACH = 2
#: Answers that stand for themselves, beside those of ``accepted/`` and ``rejected/``.
REFERENCE, CRASH, LOOP, NONE = "reference", "crash", "loop", ""

FIRST = (
    *("Амина", "Баҳром", "Гулноз", "Ғафур", "Далер", "Зебо", "Иқбол", "Қодир", "Латофат", "Меҳрона", "Нозим", "Ҳумо"),
    *("Фирӯза", "Ҷамшед", "Шаҳноза", "Парвиз", "Сайёра", "Умед", "Хуршед", "Манижа", "Алексей", "Ольга", "Наталья"),
    *("Сергей", "Ёдгор", "Anna", "Daniel", "Maryam", "John", "Leila"),
)
LAST = (
    *("Раҳимова", "Қосимов", "Шарипова", "Ғаниев", "Ҳакимов", "Назарова", "Ӯринов", "Ҷӯраев", "Саидова", "Каримов"),
    *("Иванов", "Соколова", "Ким", "O'Brien", "Smith-Lee", "Муродӣ", "Зоҳидов", "Мирзоева", "Петрова", "Olimov"),
)
_LATIN = dict(
    zip(
        "абвгғдеёжзиӣйкқлмнопрстуӯфхҳчҷшъэюяыьщц",
        (
            *("a", "b", "v", "g", "gh", "d", "e", "yo", "zh", "z", "i", "i", "y", "k", "q", "l", "m", "n", "o", "p"),
            *("r", "s", "t", "u", "u", "f", "kh", "h", "ch", "j", "sh", "", "e", "yu", "ya", "y", "", "shch", "ts"),
        ),
        strict=True,
    )
)


@dataclass(frozen=True)
class Student:
    """Somebody on the class list.

    Attributes:
        ability: in standard deviations from the middle of the class.
        language: of their remarks.
    """

    id: str
    first: str
    last: str
    email: str
    ability: float
    language: str


@dataclass(frozen=True)
class Work:
    """What one student handed in for one assignment.

    Attributes:
        kind: right, misconception, partial, mixed, empty, crashing, looping or copied.
        answers: the name of the answer by exercise; `NONE` for one that was not attempted.
        sources: the code by exercise, of those that were attempted.
        copied_from: whose work it is.
        earlier: when a first version was handed in that this one replaced.
    """

    student: str
    assignment: str
    kind: str
    answers: Mapping[str, str]
    sources: Mapping[str, str]
    when: datetime
    late: bool = False
    copied_from: str = ""
    earlier: datetime | None = None


@dataclass(frozen=True)
class Roll:
    """A class before anything is graded: the same size and seed give the same class.

    Attributes:
        due: when each assignment is due.
        silent: students who handed in something once, and later nothing.
        absent: students who never handed in anything.
    """

    units: tuple[Unit, ...]
    students: tuple[Student, ...]
    works: tuple[Work, ...]
    due: Mapping[str, datetime]
    silent: frozenset[str]
    absent: frozenset[str]

    def work(self, student: str, assignment: str) -> Work | None:
        return next((w for w in self.works if (w.student, w.assignment) == (student, assignment)), None)


@dataclass(frozen=True)
class MadeClass:
    """A graded class."""

    course: Course
    roll: Roll


def real_units() -> list[Unit]:
    """The three units of the real course that large classes are made of."""
    return [read_unit(path) for path in find_units(list(UNITS))]


def small_units(folder: Path, count: int = 1) -> list[Unit]:
    """The unit of the fixtures, `count` times under other names and with less patience, copied to `folder`."""
    found = []
    for number in range(90, 90 + count):
        name = SUMS.name.replace("90", str(number))
        place = Path(shutil.copytree(SUMS, folder / name))
        for file, old, new in (
            ("lesson.py", SUMS.name, name),
            ("checks.py", "seconds=3", "seconds=0.5"),
            ("unit.toml", "cell_seconds = 20", "cell_seconds = 8"),
        ):
            path = place / file
            path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
        found.append(read_unit(place))
    return found


def make_roll(units: Sequence[Unit], size: int = SIZE, seed: int = 1) -> Roll:
    """Who is in the class and who hands in what, by the seed alone. The first twelve have one of every kind."""
    rng = random.Random(seed)
    students = _students(size, rng)
    pools = {unit.name: _Pool(unit, rng) for unit in units}
    due = {unit.name: TERM + timedelta(weeks=WEEKS_EACH * n, days=13, hours=14) for n, unit in enumerate(units)}
    absent, silent, works = set[str](), set[str](), list[Work]()
    for number, student in enumerate(students):
        last = len(units)
        if number == 7 or (number >= 12 and rng.random() < 0.03):
            absent.add(student.id)
            continue
        if number == 8 or (number >= 12 and rng.random() < 0.06):
            last = rng.randint(1, max(1, len(units) - 1)) if number != 8 else 1
            if last < len(units):
                silent.add(student.id)
        for unit in units[:last]:
            works.append(_work(student, number, pools[unit.name], due[unit.name], works, rng))
    return Roll(tuple(units), tuple(students), tuple(works), due, frozenset(silent), frozenset(absent))


def make_class(
    folder: Path, units: Sequence[Unit], size: int = SIZE, seed: int = 1, language: str = "en", workers: int = 2
) -> MadeClass:
    """Build `units` as a course in ``folder/course``, and have the class of `make_roll` hand in and be graded."""
    roll = make_roll(units, size, seed)
    graded = _grade_answers(roll, folder / "answers", language, workers)
    build_course(list(units), language, folder / "course")
    course = open_course(folder / "course")
    with course.gradebook() as book:
        for student in roll.students:
            about = {"first_name": student.first, "last_name": student.last, "email": student.email}
            book.update_or_create_student(student.id, **about)
        for name, when in roll.due.items():
            book.update_or_create_assignment(name, duedate=f"{when:%Y-%m-%d %H:%M:%S} UTC")
    for unit in units:
        works = {work.student: work for work in roll.works if work.assignment == unit.name}
        released = nbformat.read(course.root / "release" / unit.name / f"{unit.name}.ipynb", as_version=4)
        for work in works.values():
            _hand_in(course, work, released)
        for task in plan(course, unit.name, sorted(works)):
            assert not task.problem, task.problem
            record(_result(task, works[task.student], graded[unit.name]))
    return MadeClass(course, roll)


def _students(size: int, rng: random.Random) -> list[Student]:
    people = rng.sample([(first, last) for first in FIRST for last in LAST], min(size, len(FIRST) * len(LAST)))
    people += [(rng.choice(FIRST), f"{rng.choice(LAST)} {n}") for n in range(size - len(people))]
    found: dict[str, Student] = {}
    for first, last in people:
        latin = f"{_latin(first)}.{_latin(last)}"
        # every tenth has an id in the letters of the name, with a space in it, as in classes collected by hand
        name = f"{first} {last}" if len(found) % 10 == 9 else latin
        while name in found:
            name += "2"
        language = ("tg", "tg", "ru", "en")[len(found) % 4]
        found[name] = Student(name, first, last, f"{latin}@example.org", rng.gauss(0, 1), language)
    return list(found.values())


def _latin(text: str) -> str:
    return "".join(_LATIN.get(letter, letter) for letter in text.lower() if letter.isalnum() or letter in "-")


class _Pool:
    """The answers to a unit's exercises that the class chooses from."""

    def __init__(self, unit: Unit, rng: random.Random) -> None:
        self.unit = unit
        variants = read_variants(unit)
        self.right = {
            exercise: [REFERENCE, *(v.name for v in variants if not v.fails and exercise in v.answers)]
            for exercise in unit.lesson.exercises
        }
        self.wrong = {
            exercise: [v.name for v in variants if v.fails and exercise in v.answers]
            for exercise in unit.lesson.exercises
        }
        for names in self.wrong.values():  # which misconception is the commonest differs from exercise to exercise
            rng.shuffle(names)
        self.difficulty = {exercise: rng.uniform(-1.6, 0.6) for exercise in unit.lesson.exercises}
        self.sources = {
            (exercise, REFERENCE): _without_markers(source) for exercise, source in unit.lesson.reference.items()
        }
        self.sources |= {(exercise, v.name): source for v in variants for exercise, source in v.answers.items()}
        for exercise, source in unit.lesson.reference.items():
            self.sources[exercise, CRASH] = with_body(source, "raise RuntimeError('out of order')")
            self.sources[exercise, LOOP] = with_body(source, "while True: pass")

    def answer(self, exercise: str, ability: float, rng: random.Random) -> str:
        """What somebody of this ability answers: right by the logistic model, else mostly with a misconception."""
        if rng.random() < 1 / (1 + math.exp(-1.7 * (ability - self.difficulty[exercise]))):
            return rng.choices(self.right[exercise], [3, *[1] * (len(self.right[exercise]) - 1)])[0]
        chance = rng.random()
        if chance < 0.22 or not self.wrong[exercise]:
            return NONE
        if chance < 0.3:
            return CRASH
        weights = [1 / (rank + 1) ** 1.3 for rank in range(len(self.wrong[exercise]))]
        return rng.choices(self.wrong[exercise], weights)[0]


def _work(
    student: Student, number: int, pool: _Pool, due: datetime, before: Sequence[Work], rng: random.Random
) -> Work:
    exercises = pool.unit.lesson.exercises
    own = random.Random(f"{student.id} {pool.unit.name}")
    late = number == 5 or (number >= 12 and rng.random() < 0.08)
    when = (
        due + timedelta(hours=rng.uniform(1, 50)) if late else due - timedelta(hours=min(300, rng.expovariate(1 / 40)))
    )
    work = Work(student.id, pool.unit.name, "", {}, {}, when.replace(microsecond=0), late)
    if number == 6 or (number >= 12 and rng.random() < 0.1):
        work = replace(work, earlier=work.when - timedelta(hours=rng.randint(3, 60)))
    others = [w for w in before if w.assignment == pool.unit.name and w.kind in ("right", "misconception", "mixed")]
    if others and (number == 3 or (number >= 12 and rng.random() < 0.03)):
        theirs = rng.choice(others)
        sources = {name: copied_with_other_names(source, own) for name, source in theirs.sources.items()}
        sources = {name: with_other_remarks(source, student.language) for name, source in sources.items()}
        return replace(work, kind="copied", answers=theirs.answers, sources=sources, copied_from=theirs.student)
    if number == 2 or (number >= 12 and rng.random() < 0.03):
        return replace(work, kind="empty", answers=dict.fromkeys(exercises, NONE))
    if number in (0, 1, 4, 9, 10):
        answers = {exercise: rng.choice(pool.right[exercise]) for exercise in exercises}
    else:
        answers = {exercise: pool.answer(exercise, student.ability, rng) for exercise in exercises}
    special = {1: rng.choice(pool.wrong[exercises[-1]]), 9: NONE, 10: CRASH, 11: LOOP}
    if number in special:
        answers[exercises[-1]] = special[number]
    sources = {
        exercise: pool.sources[exercise, name]
        if name in (CRASH, LOOP)
        else own_hand(pool.sources[exercise, name], own, student.language)
        for exercise, name in answers.items()
        if name != NONE
    }
    return replace(work, kind=_kind(answers, pool), answers=answers, sources=sources)


def _kind(answers: Mapping[str, str], pool: _Pool) -> str:
    wrong = [name for exercise, name in answers.items() if name not in pool.right[exercise]]
    if not wrong:
        return "right"
    for name, kind in ((LOOP, "looping"), (CRASH, "crashing"), (NONE, "partial")):
        if name in wrong:
            return kind
    return "misconception" if len(wrong) == 1 else "mixed"


def _without_markers(source: str) -> str:
    return "\n".join(line for line in source.split("\n") if "### BEGIN SOLUTION" not in line and "### END" not in line)


@dataclass
class _Graded:
    """Cells of graded notebooks: one to start from, and for each answer what its test cell put out."""

    notebook: NotebookNode
    outputs: dict[tuple[str, str], list[NotebookNode]] = field(default_factory=dict)


def _grade_answers(roll: Roll, folder: Path, language: str, workers: int) -> dict[str, _Graded]:
    """Grade every answer that somebody in the class gives, several of them in one notebook, each exercise one."""
    build_course(list(roll.units), language, folder)
    course = open_course(folder)
    found = {}
    for unit in roll.units:
        pool = _Pool(unit, random.Random(0))
        notebooks = _packed(unit, [work for work in roll.works if work.assignment == unit.name])
        sources = {
            name: {exercise: pool.sources[exercise, answer] for exercise, answer in answers.items() if answer != NONE}
            for name, answers in notebooks.items()
        }
        submit(unit.name, sources, folder)
        result = grade(course, unit.name, workers=workers)
        assert not result.problems, result.problems
        cells = {name: _read_graded(course, unit.name, name) for name in notebooks}
        graded = found[unit.name] = _Graded(cells["right"])
        for name, answers in notebooks.items():
            tests = {cell.metadata.nbgrader.grade_id: cell for cell in cells[name].cells if _is_test(cell)}
            for exercise, answer in answers.items():
                outputs = tests[f"{_grade_id(exercise)}-check"].outputs
                graded.outputs.setdefault((exercise, answer), outputs)
    return found


def _packed(unit: Unit, works: Sequence[Work]) -> dict[str, dict[str, str]]:
    """Notebooks by name in which every answer of `works` stands somewhere, each exercise answered in each.

    One has nothing in it, and an answer that loops has no other beside it that could suffer.
    """
    exercises = unit.lesson.exercises
    notebooks = {"right": dict.fromkeys(exercises, REFERENCE), "empty": dict.fromkeys(exercises, NONE)}
    wanted = {exercise: list(dict.fromkeys(w.answers[exercise] for w in works)) for exercise in exercises}
    looping = [exercise for exercise in exercises if LOOP in wanted[exercise]]
    for exercise in looping:
        notebooks[f"loop {_grade_id(exercise)}"] = {**notebooks["right"], exercise: LOOP}
    rest = {e: [a for a in names if a not in (REFERENCE, NONE, LOOP)] for e, names in wanted.items()}
    for number in range(max(map(len, rest.values()), default=0)):
        chosen = {e: names[number] for e, names in rest.items() if number < len(names)}
        notebooks[f"mixed {number}"] = {**notebooks["right"], **chosen}
    return notebooks


def _grade_id(exercise: str) -> str:
    return exercise.replace(".", "-")


def _is_test(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


def _read_graded(course: Course, assignment: str, student: str) -> NotebookNode:
    path = course.folder("autograded", student, assignment) / f"{assignment}.ipynb"
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    return notebook


def _hand_in(course: Course, work: Work, released: NotebookNode) -> None:
    """Put the work into ``submitted/``, and an earlier version where `ustod collect` moves it."""
    target = course.folder("submitted", work.student, work.assignment)
    _write_submission(course, work, released, target, work.sources, work.when)
    if work.earlier is not None:
        kept = course.root / ".ustod" / "replaced" / work.student / work.assignment / f"{work.when:%Y%m%dT%H%M%S.%f}"
        half = dict(list(work.sources.items())[: len(work.sources) // 2])
        _write_submission(course, work, released, kept, half, work.earlier)


def _write_submission(
    course: Course, work: Work, released: NotebookNode, target: Path, sources: Mapping[str, str], when: datetime
) -> None:
    target.mkdir(parents=True)
    for path in (course.root / "release" / work.assignment).iterdir():
        if path.suffix != ".ipynb":
            shutil.copyfile(path, target / path.name)
    nbformat.write(put_answers(released, sources), target / f"{work.assignment}.ipynb")
    (target / "timestamp.txt").write_text(f"{when:%Y-%m-%d %H:%M:%S} UTC")


def _result(task: Task, work: Work, graded: _Graded) -> Result:
    """What the engine would have given: the student's code, and what the checks said of each of their answers.

    What ordinary cells put out may depend on any answer, and is left out.
    """
    notebook = put_answers(copy.deepcopy(graded.notebook), work.sources)
    empty = put_answers(notebook, {})
    released = task.course.root / "release" / task.assignment / f"{task.assignment}.ipynb"
    stubs = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in nbformat.read(released, as_version=4).cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    outputs = {f"{_grade_id(e)}-check": graded.outputs[e, answer] for e, answer in work.answers.items()}
    for cell in empty.cells:
        if cell.cell_type != "code":
            continue
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        cell.outputs = copy.deepcopy(outputs.get(name, []))
        if name in stubs and name not in {_grade_id(e) for e in work.sources}:
            cell.source = stubs[name]
    return Result(task, {task.assignment: f"{nbformat.writes(empty)}\n"})


def main() -> None:
    """Make a class for looking at."""
    folder = Path(sys.argv[1])
    size = int(sys.argv[2]) if len(sys.argv) > 2 else SIZE
    made = make_class(folder, real_units(), size)
    kinds = sorted({work.kind for work in made.roll.works})
    print(made.course.root, len(made.roll.works), "submissions:", *(f"{k}" for k in kinds))


if __name__ == "__main__":
    main()
