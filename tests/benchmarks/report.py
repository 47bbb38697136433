"""The table, the figures and the plot of one run of the benchmarks."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.figures import Section, Spread

PACKAGES = ("ustod", "nbgrader", "ipykernel", "torch", "transformers", "datasets")


@dataclass
class Report:
    """One run.

    Attributes:
        about: machine and software, by what they are.
        load: the load average over one minute at the start and at the end.
        sections: what was measured.
    """

    about: dict[str, str]
    load: list[float]
    sections: list[Section] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write ``table.md``, ``figures.json`` and ``plot.png`` to `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table.md").write_text(markdown(self), encoding="utf-8")
        (folder / "figures.json").write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n", "utf-8")
        plot(self, folder / "plot.png")


def about_this_machine() -> dict[str, str]:
    """What figures depend on."""
    about = {"cores": str(os.cpu_count()), "memory": f"{_memory() / 2**30:.0f} GiB", "system": platform.system()}
    return about | {"Python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def load() -> float:
    """How many processes wanted a core, on average over the last minute."""
    return os.getloadavg()[0]


def markdown(report: Report) -> str:
    """The report as tables in markdown."""
    about = ", ".join(f"{name} {what}" for name, what in report.about.items())
    begun, ended = report.load
    lines = [f"{about}. Load average {begun:.1f} at the start, {ended:.1f} at the end."]
    for section in report.sections:
        lines += ["", f"### {section.title}", "", *_table(section), "", section.note]
    return "\n".join(lines) + "\n"


def _table(section: Section) -> list[str]:
    head = ["", f"{section.unit}: median", "least to most", "rounds"]
    rows = [_row(section, row) for row in section.samples]
    if section.baseline:
        head.append(f"ratio to {section.baseline} (least to most)")
        for cells, ratio in zip(rows, map(section.ratio, section.samples), strict=True):
            cells.append(f"{number(ratio.median)} ({_range(ratio)})" if ratio else "")
    return [_line(head), _line(["---", *["--:"] * (len(head) - 1)]), *map(_line, rows)]


def _row(section: Section, row: str) -> list[str]:
    spread = section.spread(row)
    return [row, number(spread.median), _range(spread), str(len(section.samples[row]))]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def number(value: float) -> str:
    """Three digits, as far as they stand before the fourth decimal place."""
    decimals = next((places for places, limit in ((3, 1), (2, 10), (1, 100)) if abs(value) < limit), 0)
    return f"{value:.{decimals}f}"


def _range(spread: Spread) -> str:
    return f"{number(spread.least)} to {number(spread.most)}"


def plot(report: Report, path: Path) -> None:
    """A bar for each row: its median, and a line from the least to the most."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    heights = [len(section.samples) + 1.2 for section in report.sections]
    figure, axes = pyplot.subplots(
        len(heights),
        figsize=(9, 0.4 * sum(heights) + 0.6),
        gridspec_kw={"height_ratios": heights},
        layout="constrained",
        squeeze=False,
    )
    for section, axis in zip(report.sections, axes[:, 0], strict=True):
        rows = list(section.samples)
        spreads = [section.spread(row) for row in rows]
        medians = [spread.median for spread in spreads]
        whiskers = [[s.median - s.least for s in spreads], [s.most - s.median for s in spreads]]
        colours = ["tab:gray" if row == section.baseline else "tab:blue" for row in rows]
        bars = axis.barh(rows, medians, xerr=whiskers, color=colours, height=0.6)
        axis.bar_label(bars, [number(value) for value in medians], padding=6)
        axis.margins(x=0.12)
        axis.invert_yaxis()
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_title(f"{section.title} ({section.unit})", loc="left", fontsize="medium")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
