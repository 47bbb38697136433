"""`grade(…)`, the part of a test cell that learners never receive: it runs the hidden checks and returns the score."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from autograder.student.answers import CHECK_FILE
from autograder.student.protocol import load_checks
from autograder.student.rng import fresh_seed
from autograder.student.running import Outcome, run_check
from autograder.student.sidecar import course_folder, read_sidecar
from autograder.student.table import as_html, as_text
from autograder.student.texts import Texts, read_catalog

#: Outcomes as data, for feedback pages and reports; a browser ignores a type that it does not know.
MIME = "application/vnd.ustod.outcomes+json"
#: Set to repeat a run with the seed that a feedback page shows.
SEED_VARIABLE = "USTOD_SEED"


def grade(unit: str, exercise: str, source: str) -> float:
    """Run the checks in `source` on the caller's globals, show the outcomes, and return the points gained.

    nbgrader takes the number as partial credit, since it is the last value of the test cell.
    """
    namespace = sys._getframe(1).f_globals
    outcomes = run_hidden(exercise, source, namespace)
    _display(unit, exercise, outcomes)
    return sum(outcome.score for outcome in outcomes)


def run_hidden(exercise: str, source: str, namespace: Mapping[str, Any]) -> list[Outcome]:
    """The outcomes of every check in `source` on the learner's `namespace`."""
    seed = int(os.environ.get(SEED_VARIABLE) or fresh_seed())
    checks = load_checks(source, f"{CHECK_FILE} of {exercise}>")
    return [run_check(check, namespace, seed) for check in checks]


def bundle(unit: str, exercise: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The outcomes as a notebook's display data: text, HTML in the language beside the notebook, and plain data."""
    sidecar = read_sidecar(unit)
    folder = course_folder(unit)
    own = read_catalog(folder / "po", sidecar.language) if folder else {}
    texts = Texts(sidecar.language, {**own, **sidecar.messages})
    title = texts(sidecar.exercises[exercise].title) if exercise in sidecar.exercises else exercise
    notes = [texts("Repeat with seed {seed}.", seed=outcomes[0].seed)] if outcomes else []
    return {
        "text/plain": as_text(title, outcomes, notes, texts),
        "text/html": as_html(title, outcomes, notes, texts),
        MIME: {"exercise": exercise, "outcomes": [outcome.as_dict() for outcome in outcomes]},
    }


def _display(unit: str, exercise: str, outcomes: Sequence[Outcome]) -> None:
    data = bundle(unit, exercise, outcomes)
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        from IPython.display import display

        display(data, raw=True)
    else:
        print(data["text/plain"], json.dumps(data[MIME], ensure_ascii=False), sep="\n")
