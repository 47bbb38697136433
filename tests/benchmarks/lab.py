"""``python -m benchmarks.lab``: a lab server with JupyterHub's defaults beside Ustod's, in one run on one machine."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Spread
from benchmarks.lab_figures import GB, MB, OURS, STOCK, Samples, students_that_fit
from benchmarks.report import about_this_machine, load, number
from hub.island import TOP, run

PARTS = ("memory", "ready", "pages", "crowd")
STATES = {
    "idle": "server without a kernel",
    "imported": "kernel with torch and transformers imported",
    "bfloat16": "kernel holding SmolLM2-135M, bfloat16",
    "default": "kernel holding SmolLM2-135M, dtype not named",
}
MEMORIES, RESERVE = (8.0, 24.0), 1.0
NOTE = """\
Stock is JupyterHub with its defaults: LocalProcessSpawner, real accounts, jupyterhub-singleuser, the kernel python3,
the same proxy program; DummyAuthenticator, since PAM asks for passwords that these accounts do not have, so that its
logins cost nothing, while ours are checked with scrypt over TLS. Memory of one more student is what all processes of
the machine gained (PSS) from one student to several; the model has read all of its weights once. Students that fit:
(memory - what the lab's programs take in that state - 1 GB in reserve) / memory of one more student.
"Ours is better" is stock / ours where less is better, and ours / stock where more is.
"""


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    what: str
    unit: str
    stock: list[float]
    ours: list[float]
    more_is_better: bool = False

    @property
    def better(self) -> float | None:
        """How many times better ours is, by the medians; None where one is 0."""
        stock, ours = Spread.of(self.stock).median, Spread.of(self.ours).median
        if not stock or not ours:
            return None
        return ours / stock if self.more_is_better else stock / ours


def main() -> int:
    """Measure, print the table, and write it to a folder; the exit code is 1 if not everything could be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lab", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[*PARTS, []], help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=3, help="of the way to a ready kernel, alone")
    parser.add_argument("--many", type=int, default=5, help="students at once for memory and ready kernels")
    parser.add_argument("--crowd", type=int, default=30, help="students who log in at once")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--out", type=Path, default=TOP / "build" / "bench-lab", help="a folder in this checkout")
    options = parser.parse_args()
    if options.many < 2:
        parser.error("--many must be 2 or more: memory is told from the difference to one student")
    options.out.mkdir(parents=True, exist_ok=True)
    raw = options.out.resolve() / "raw.json"
    raw.unlink(missing_ok=True)
    asked = {"rounds": options.rounds, "many": options.many, "crowd": options.crowd, "out": str(raw)}
    begun = load()
    done = run(["-m", "benchmarks.lab_inside", json.dumps({**asked, "parts": options.parts or PARTS})], timeout=3600)
    if done.returncode:
        print(f"{done.stderr[-4000:]}\nMore is in {raw.with_suffix('.log')}.", file=sys.stderr)
    found = Samples(**json.loads(raw.read_text("utf-8"))) if raw.exists() else Samples()
    about = {
        **about_this_machine(),
        "load average": f"{begun:.1f} at the start, {load():.1f} at the end",
        **found.notes,
    }
    lines = list(table(found, options.many, options.crowd))
    text, figures = markdown(about, lines), as_json(about, lines)
    (options.out / "table.md").write_text(text, "utf-8")
    (options.out / "figures.json").write_text(figures, "utf-8")
    print(figures if options.json else text)
    return int(bool(done.returncode))


def table(found: Samples, many: int, crowd: int) -> Iterator[Line]:
    """The lines for which both labs have samples."""
    yield from _line(found, "ready", "login to a kernel that has imported torch and transformers, alone", "s")
    yield from _line(found, "ready-together", f"the same, {many} at once", "s")
    yield from _line(found, "fixed", "the lab's own programs", "MB")
    for state, name in STATES.items():
        yield from _line(found, f"memory-{state}", f"one more student: {name}", "MB")
        yield from _line(found, f"own-{state}", f"… by the student's own processes, of {many}", "MB")
        yield from _line(found, f"free-{state}", "… by what Linux calls available", "MB")
    for state, name in STATES.items():
        for memory in MEMORIES:
            fit = {lab: fitting(found, state, memory, lab) for lab in (STOCK, OURS)}
            if fit[STOCK] is not None and fit[OURS] is not None:
                title = f"students that fit in {memory:.0f} GB: {name}"
                yield Line(title, "students", [fit[STOCK]], [fit[OURS]], more_is_better=True)
    yield from _line(found, "first-load", "JupyterLab's first load", "MB")
    yield from _line(found, "first-load-foreign", "… requests to other hosts", "")
    yield from _line(found, "second-load", "JupyterLab's second load", "MB")
    yield from _line(found, "crowd-login", f"{crowd} at once: until all are logged in", "s")
    yield from _line(found, "crowd-half", f"{crowd} at once: until half have JupyterLab", "s")
    yield from _line(found, "crowd-lab", f"{crowd} at once: until all have JupyterLab", "s")
    yield from _line(found, "crowd-there", f"{crowd} at once: who has JupyterLab within 400 s", "students", more=True)
    yield from _line(found, "crowd-refusals", f"{crowd} at once: failed and refused starts", "")


def fitting(found: Samples, state: str, memory: float, lab: str) -> int | None:
    """How many students in `state` fit into `memory` gigabytes; None where that was not measured."""
    if lab not in found.samples.get(f"memory-{state}", {}):
        return None
    base, each = found.median(f"base-{state}", lab), found.median(f"memory-{state}", lab)
    return students_that_fit(memory * GB / MB, base, RESERVE * GB / MB, each)


def _line(found: Samples, key: str, what: str, unit: str, *, more: bool = False) -> Iterator[Line]:
    samples = found.samples.get(key, {})
    if samples.keys() >= {STOCK, OURS}:
        yield Line(what, unit, samples[STOCK], samples[OURS], more_is_better=more)


def markdown(about: dict[str, str], lines: list[Line]) -> str:
    """One table."""
    rows = ["|  | unit | stock JupyterHub | Ustod | ours is better |", "| --- | --- | --: | --: | --: |"]
    for line in lines:
        better = f"{number(line.better)} ×" if line.better else ""
        rows.append(f"| {line.what} | {line.unit} | {_cell(line.stock)} | {_cell(line.ours)} | {better} |")
    return "\n".join([f"{', '.join(f'{name} {what}' for name, what in about.items())}.", "", *rows, "", NOTE])


def _cell(samples: list[float]) -> str:
    spread = Spread.of(samples)
    if len(samples) == 1:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.least)} to {number(spread.most)})"


def as_json(about: dict[str, str], lines: list[Line]) -> str:
    """The same for programs, with every sample."""
    rows = [
        {"what": one.what, "unit": one.unit, STOCK: one.stock, OURS: one.ours, "better": one.better} for one in lines
    ]
    return json.dumps({"about": about, "lines": rows}, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
