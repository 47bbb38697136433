"""`check = open_unit("u04_tokenization")`: instant feedback in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autograder.student import regrade, reveal
from autograder.student.progress import note_check, note_work
from autograder.student.protocol import PATIENCE, Check, CheckFunction
from autograder.student.rng import fresh_seed
from autograder.student.running import Outcome, State, run_check
from autograder.student.sidecar import Exercise, Sidecar, course_folder, read_sidecar
from autograder.student.table import as_html, as_text
from autograder.student.texts import Texts, read_catalog

UNKNOWN_EXERCISE = "There is no exercise {name} here; the exercises are: {known}."


def open_unit(unit: str) -> Unit:
    """Open `unit` in this notebook. Call it from the notebook itself: the caller's globals are what is checked."""
    opened = Unit(read_sidecar(unit), sys._getframe(1).f_globals)
    note_work(unit)
    return opened


class Unit:
    """The checks of one unit, called with an exercise's id: `check("bpe.train")`."""

    def __init__(self, sidecar: Sidecar, namespace: Mapping[str, Any]) -> None:
        self.sidecar = sidecar
        self._namespace = namespace
        self._public: dict[str, dict[str, Check]] = {}
        self._hints_shown: dict[str, int] = {}
        folder = course_folder(sidecar.unit)
        own = read_catalog(folder / "po", sidecar.language) if folder else {}
        self.texts = Texts(sidecar.language, {**own, **sidecar.messages})
        self._hidden_source = folder / "checks.py" if folder and sidecar.edition == "self-study" else None

    def public(self, exercise: str, *, seconds: float = PATIENCE) -> Callable[[CheckFunction], CheckFunction]:
        """Declare a check that learners see; it is worth no points."""

        def declare(function: CheckFunction) -> CheckFunction:
            self._public.setdefault(exercise, {})[function.__name__] = Check.of(function, exercise, 0, seconds)
            return function

        return declare

    def __call__(self, exercise: str) -> Feedback:
        """Feedback on `exercise`, shown as a table. The checks run when it is shown, and once."""
        return Feedback(self, exercise)

    def done(self, exercise: str) -> bool:
        """Whether the public checks of `exercise` pass now: examples that use a learner's answer ask this first."""
        outcomes = [run_check(check, self._namespace, fresh_seed()) for check in self.public_checks(exercise)]
        return bool(outcomes) and all(outcome.state is State.RIGHT for outcome in outcomes)

    def public_checks(self, exercise: str) -> list[Check]:
        """The checks of `exercise` that the notebook has declared so far."""
        return list(self._public.get(exercise, {}).values())

    def hidden_checks(self, exercise: str) -> list[Check]:
        """The hidden checks of `exercise` in self-study; none in a class, where the grader alone has them."""
        if self._hidden_source is None:
            return []
        return reveal.checks(self._hidden_source, exercise)

    def hint(self, exercise: str) -> reveal.Note:
        """The next hint of `exercise`; after the last one, the last one again."""
        hints = self._exercise(exercise).hints
        if not hints:
            return reveal.Note(self.texts("There is no hint for this exercise."))
        number = min(self._hints_shown.get(exercise, 0) + 1, len(hints))
        self._hints_shown[exercise] = number
        head = self.texts("Hint {number} of {count}", number=number, count=len(hints))
        return reveal.Note(f"{head}: {self.texts(hints[number - 1])}")

    def solution(self, exercise: str) -> reveal.Note:
        """The reference solution of `exercise`, in self-study only."""
        if self._hidden_source is None:
            return reveal.Note(self.texts("Your instructor shows the solution after grading."))
        self._exercise(exercise)
        return reveal.Note(reveal.solution(self._hidden_source.with_name("lesson.py"), exercise), code=True)

    def regrade(self, exercise: str, reason: str = "") -> reveal.Note:
        """Ask your instructor to look at the grade of `exercise` again, and say why.

        Leaves a file beside the notebook; in a lab it is sent at once. The answer stands in the next feedback.
        """
        texts = self.texts
        self._exercise(exercise)
        if not reason.strip():
            call = f'check.regrade("{exercise}", "…")'
            return reveal.Note(texts("Say why your instructor should look at it again: {call}", call=call))
        try:
            path = regrade.write_request(Path(), self.sidecar.unit, exercise, reason.strip(), self.sidecar.language)
        except OSError as error:
            return reveal.Note(texts("Your request could not be written: {why}", why=error.strerror or error))
        if not regrade.is_in_a_lab():
            return reveal.Note(
                texts("Your request is in the file {file}: hand it in as you hand in your notebook.", file=path.name)
            )
        if why := regrade.send(path):
            return reveal.Note(texts("Your request is in the file {file}, but was not sent: {why}", file=path, why=why))
        return reveal.Note(texts("Your request was sent; the answer will stand in your next feedback."))

    def _exercise(self, exercise: str) -> Exercise:
        if exercise not in self.sidecar.exercises:
            known = ", ".join(sorted(self.sidecar.exercises))

            raise LookupError(self.texts(UNKNOWN_EXERCISE, name=exercise, known=known))
        return self.sidecar.exercises[exercise]


class Feedback:
    """What `check("…")` gives: a table in a notebook, text elsewhere."""

    def __init__(self, unit: Unit, exercise: str) -> None:
        self._unit = unit
        self._exercise = exercise
        self._title = unit.texts(unit._exercise(exercise).title)
        self._outcomes: list[Outcome] | None = None

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcomes of the public checks and, in self-study, of the hidden ones."""
        if self._outcomes is None:
            unit, seed = self._unit, fresh_seed()
            checks = unit.public_checks(self._exercise) + unit.hidden_checks(self._exercise)
            self._outcomes = [run_check(check, unit._namespace, seed) for check in checks]
            note_check(unit.sidecar.unit, self._exercise, self._outcomes)
        return self._outcomes

    def notes(self) -> list[str]:
        """What stands under the table: what is still to come, and where help is."""
        texts, notes = self._unit.texts, []
        if self._unit._hidden_source is None:
            notes.append(texts("More checks, which you do not see, run when your work is graded."))
        if any(outcome.state is not State.RIGHT for outcome in self.outcomes):
            if self._unit._exercise(self._exercise).hints:
                notes.append(texts("For a hint: {call}", call=f'`check.hint("{self._exercise}")`'))
            if self._unit._hidden_source is not None:
                notes.append(texts("For the solution: {call}", call=f'`check.solution("{self._exercise}")`'))
        return notes

    def _repr_html_(self) -> str:
        return as_html(self._title, self.outcomes, self.notes(), self._unit.texts)

    def __repr__(self) -> str:
        return as_text(self._title, self.outcomes, self.notes(), self._unit.texts)
