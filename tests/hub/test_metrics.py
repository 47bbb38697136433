"""Prometheus can read the figures, and they name nobody."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hub.small import small_lab
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from autograder.hub.backup import backup
from autograder.hub.figures import Machine, Waiting
from autograder.hub.metrics import metrics_text, write_metrics
from autograder.hub.status import OnLine, Status

QUIET = Status(
    name="Lab",
    address="https://lab/",
    moment="2026-11-24T08:00:00+00:00",
    supervisor=7,
    hub=True,
    people=[],
    starting=0,
    machine=Machine(8 << 30, 6 << 30, 100 << 30, 50 << 30, 0.5, 2),
    homes={},
    waiting=[],
    last_backup=None,
    backup_age=None,
    certificate_end=None,
)


def samples(text: str) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(text)
    return {(one.name, ",".join(one.labels.values())): one.value for family in families for one in family.samples}


def test_each_figure_is_one_sample() -> None:
    people = [OnLine("s1", "Ғафур", "", False, 300 << 20, 2), OnLine("s2", "Ҷамшед", "", True, 0, 0)]
    busy = replace(QUIET, people=people, starting=1, homes={"s1": 5, "s2": 7}, waiting=[Waiting("ml", 3, 4)])
    found = samples(metrics_text(replace(busy, backup_age=60.0, certificate_end="2026-12-24T08:00:00+00:00")))
    assert found["ustod_people_online", ""] == 1
    assert found["ustod_servers_starting", ""] == 1
    assert found["ustod_kernels", ""] == 2
    assert found["ustod_people_memory_bytes", ""] == 300 << 20
    assert found["ustod_homes_bytes", ""] == 12
    assert found["ustod_submissions_uncollected", "ml"] == 3
    assert found["ustod_submissions_ungraded", "ml"] == 4
    assert found["ustod_backup_age_seconds", ""] == 60
    assert found["ustod_certificate_end_seconds", ""] == datetime(2026, 12, 24, 8, tzinfo=UTC).timestamp()


def test_what_cannot_be_told_is_left_out() -> None:
    found = samples(metrics_text(replace(QUIET, hub=False, supervisor=None)))
    assert (found["ustod_up", ""], found["ustod_hub_up", ""]) == (0, 0)
    assert not {name for name, _ in found} & {"ustod_people_online", "ustod_backup_age_seconds", "ustod_homes_bytes"}


@given(
    who=st.from_regex("[a-z0-9]{6,25}", fullmatch=True).filter(lambda who: not who.isdigit()), name=st.text(min_size=6)
)
def test_nobody_is_named(who: str, name: str) -> None:
    text = metrics_text(replace(QUIET, people=[OnLine(f"id-{who}", name, "", False, 1, 1)], homes={f"id-{who}": 1}))
    assert f"id-{who}" not in text and (name not in text or name in metrics_text(QUIET))
    samples(text)


def test_the_file_is_whole_and_others_may_read_it(tmp_path: Path) -> None:
    lab = small_lab(tmp_path)
    backup(lab)
    (tmp_path / "run").mkdir()
    write_metrics(lab, tmp_path / "lab.prom")
    found = samples((tmp_path / "lab.prom").read_text())
    assert found["ustod_up", ""] == 0
    assert 0 <= found["ustod_backup_age_seconds", ""] < 600
    assert os.stat(tmp_path / "lab.prom").st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.glob("*.prom*")] == ["lab.prom"] and not list(tmp_path.glob(".*"))
