"""What a notebook imports: instant feedback on an exercise, hints, and the vocabulary in which checks are written.

A learner's notebook needs only `open_unit` and `expect`; a unit's `checks.py` uses `check`, `expect` and `raises`;
`grade` stands in the part of a test cell that only the grader sees. Nothing heavy is imported here: this package is
loaded in every learner's kernel.
"""

from autograder.student.grade import grade
from autograder.student.protocol import Check, check, expect, raises
from autograder.student.unit import open_unit

__all__ = ["Check", "check", "expect", "grade", "open_unit", "raises"]
