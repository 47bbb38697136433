"""Plots for reports: drawings that stand in the page itself, and that black ink on white paper tells apart.

Nothing is told by colour: kinds of bars differ in their hatching, lines in their dashes. Text stays text, so that it
can be searched and is set in the reader's own font.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from autograder.student.running import State

#: Inches; drawn so wide, the text of a plot can be read on a telephone.
WIDTH = 5.2
#: How each state is drawn: face, hatching.
INK = {
    State.RIGHT: ("white", ""),
    State.WRONG: ("0.45", ""),
    State.CRASHED: ("white", "xxxx"),
    State.TIMED_OUT: ("white", "----"),
    State.NOT_ATTEMPTED: ("0.85", "////"),
    State.FAULT: ("black", ""),
}
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "svg.fonttype": "none",
    "svg.hashsalt": "ustod",
    "hatch.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,
}


def histogram(scores: Sequence[float], most: float, labels: tuple[str, str, str, str], title: str) -> Markup:
    """How many students have which score.

    Args:
        scores: one of each.
        most: the highest possible.
        labels: of the axes, across and up, and of the lines for mean and median.
        title: what a reader hears who does not see it.
    """
    across, up, mean, median = labels
    bins = min(20, max(1, round(most))) or 1
    with _drawing(2.6, title) as (axes, done):
        axes.hist(scores, bins=bins, range=(0, most or 1), facecolor="0.85", edgecolor="black", hatch="///")
        ordered = sorted(scores)
        if ordered:
            middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
            axes.axvline(sum(ordered) / len(ordered), color="black", linestyle="--", label=mean)
            axes.axvline(middle, color="black", linestyle=":", linewidth=2.2, label=median)
            _legend(axes, 2)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return done()


def item_map(items: Sequence[tuple[str, float, float | None]], labels: tuple[str, str], title: str) -> Markup:
    """Every exercise at its difficulty and discrimination, as a number in a circle.

    Args:
        items: label, mean share of the points, and discrimination; without the last it is left out.
        labels: of the axes, across and up.
        title: what a reader hears who does not see it.
    """
    with _drawing(3.2, title) as (axes, done):
        placed = [(name, share, value) for name, share, value in items if value is not None]
        axes.axhline(0, color="black", linewidth=0.8)
        axes.axhline(0.2, color="black", linewidth=0.8, linestyle=":")
        for name, share, value in placed:
            box = {"boxstyle": "circle,pad=0.25", "facecolor": "white", "edgecolor": "black"}
            axes.text(100 * share, value, name, ha="center", va="center", bbox=box, fontsize=9)
        lowest = min([0.0, *(value for _, _, value in placed)])
        axes.set_xlim(0, 103)
        axes.set_ylim(lowest - 0.1, max([0.5, *(value for _, _, value in placed)]) + 0.12)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
    return done()


def state_bars(
    rows: Sequence[tuple[str, Mapping[State, int]]], words: Mapping[State, str], across: str, title: str
) -> Markup:
    """For each row the share of students by state, the first row at the top."""
    with _drawing(0.9 + 0.32 * max(1, len(rows)), title) as (axes, done):
        places = range(len(rows))
        left = [0.0] * len(rows)
        for state in (State.RIGHT, State.WRONG, State.CRASHED, State.TIMED_OUT, State.NOT_ATTEMPTED, State.FAULT):
            shares = [100 * counts.get(state, 0) / (sum(counts.values()) or 1) for _, counts in rows]
            if not any(shares):
                continue
            face, hatch = INK[state]
            axes.barh(
                places,
                shares,
                left=left,
                facecolor=face,
                hatch=hatch,
                edgecolor="black",
                linewidth=0.8,
                label=words[state],
            )
            left = [before + share for before, share in zip(left, shares, strict=True)]
        axes.set_yticks(places, [name for name, _ in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel(across)
        if rows:
            _legend(axes, 3)
    return done()


def arrivals(hours: Sequence[float], size: int, labels: tuple[str, str, str], due: bool, title: str) -> Markup:
    """How many of a class of `size` had handed in by when.

    Args:
        hours: when each did, from the due date on (negative before it), or from the first one.
        size: of the class.
        labels: of the axes, across and up, and of the line for the due date.
        due: whether there is a due date, at zero.
        title: what a reader hears who does not see it.
    """
    with _drawing(2.6, title) as (axes, done):
        days = sorted(hour / 24 for hour in hours)
        if days:
            counts = [100 * (number + 1) / size for number in range(len(days))]
            first, last = min(days[0], 0), max(days[-1], 0)
            axes.step([first, *days, last], [0, *counts, counts[-1]], where="post", color="black")
        if due:
            axes.axvline(0, color="black", linestyle="--", linewidth=1, label=labels[2])
            _legend(axes, 1)
        axes.set_ylim(0, 103)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
    return done()


def score_boxes(rows: Sequence[tuple[str, Sequence[float]]], across: str, title: str) -> Markup:
    """The scores of each row in percent: a box from the lower to the upper quartile with the median in it."""
    with _drawing(0.9 + 0.45 * max(1, len(rows)), title) as (axes, done):
        filled = [(place, scores) for place, (_, scores) in enumerate(rows) if len(scores)]
        if filled:
            axes.boxplot(
                [scores for _, scores in filled],
                positions=[place for place, _ in filled],
                orientation="horizontal",
                widths=0.55,
                manage_ticks=False,
                patch_artist=True,
                boxprops={"facecolor": "0.88"},
                medianprops={"color": "black", "linewidth": 2.2},
                flierprops={"marker": "o", "markersize": 3, "markerfacecolor": "white"},
            )
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(-2, 102)
        axes.set_xlabel(across)
    return done()


def count_bars(rows: Sequence[tuple[str, Sequence[int]]], words: Sequence[str], across: str, title: str) -> Markup:
    """For each row so many of each kind, one after the other, in up to three kinds of ink."""
    inks = (("white", ""), ("0.85", "////"), ("0.45", ""))
    with _drawing(0.9 + 0.4 * max(1, len(rows)), title) as (axes, done):
        left = [0] * len(rows)
        for kind, (word, (face, hatch)) in enumerate(zip(words, inks, strict=False)):
            counts = [numbers[kind] for _, numbers in rows]
            axes.barh(range(len(rows)), counts, left=left, facecolor=face, hatch=hatch, edgecolor="black", label=word)
            left = [before + count for before, count in zip(left, counts, strict=True)]
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(across)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _legend(axes, 3)
    return done()


def _legend(axes: Axes, columns: int) -> None:
    """A legend above the axes; words of some languages need a line of their own more often."""
    if any(len(str(label)) > 14 for label in axes.get_legend_handles_labels()[1]):
        columns = min(columns, 2)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, borderaxespad=0.2, fontsize=9)


@contextmanager
def _drawing(height: float, title: str) -> Iterator[tuple[Axes, Callable[[], Markup]]]:
    """Axes to draw on, and what gives the drawing as a part of a page when the body is done."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    drawn: list[Markup] = []
    with mpl.rc_context(rc=_STYLE):
        yield figure.add_subplot(), lambda: drawn[0]
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        drawn.append(_part_of_page(file.getvalue(), title))


def _part_of_page(svg: str, title: str) -> Markup:
    """Without the head of a file, without a size of its own, and with a name for those who do not see it.

    The names of its parts are left only where the drawing itself needs them: a page holds several drawings.
    """
    body = svg[svg.index("<svg") :]
    box = re.search(r'viewBox="[^"]*"', body)
    inner = body[body.index(">") + 1 :]
    inner = re.sub(r"<metadata>.*?</metadata>", "", inner, flags=re.DOTALL)
    needed = set(re.findall(r'(?:url\(#|xlink:href="#)([^")]+)', inner))
    inner = re.sub(r'\s+id="([^"]*)"', lambda found: found[0] if found[1] in needed else "", inner)
    own = f"{zlib.crc32((inner + title).encode()):x}"
    for name in sorted(needed, key=len, reverse=True):
        inner = re.sub(rf'(id="|url\(#|xlink:href="#){re.escape(name)}(?=["\)])', rf"\g<1>{own}-{name}", inner)
    label = escape(title)
    head = f'<svg class="plot" role="img" aria-label="{label}" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return Markup(f"{head} {box[0] if box else ''}>{inner}")
