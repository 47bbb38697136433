"""nbgrader's metadata is found right or wrong as jsonschema finds it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import nbgrader.nbgraderformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.nbgraderformat import common

from autograder.grading.schema import validate

SCHEMA = json.loads((Path(nbgrader.nbgraderformat.__file__).parent / "v3.json").read_text("utf-8"))
RIGHT = {"schema_version": 3, "grade": True, "solution": False, "locked": True, "task": False, "points": 2}
SCRAPS = st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=2) | st.lists(st.integers(), max_size=1)


def verdict(check: Any, metadata: dict[str, Any]) -> str | None:
    try:
        check(metadata, SCHEMA)
    except jsonschema.ValidationError as error:
        return error.message
    return None


@given(st.dictionaries(st.sampled_from([*RIGHT, "grade_id", "other"]), SCRAPS, max_size=3), st.booleans())
def test_as_jsonschema_does(changes: dict[str, Any], grade_id: bool) -> None:
    metadata = {**RIGHT, **({"grade_id": "a"} if grade_id else {}), **changes}
    assert verdict(validate, metadata) == verdict(jsonschema.validate, metadata)


def test_a_schema_that_is_wrong_is_told() -> None:
    with pytest.raises(jsonschema.SchemaError):
        validate({}, {"$schema": "http://json-schema.org/draft-04/schema#", "type": "nothing"})


def test_nbgrader_uses_it() -> None:
    assert common.jsonschema.validate is validate
