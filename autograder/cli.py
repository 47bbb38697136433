"""The command `ustod`. Every verb calls one function of the packages below and shows what it gave."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from autograder.environment import ended_as_by_interrupt
from autograder.errors import UstodError, one_line
from autograder.gradebook.cli import app as gradebook
from autograder.hub.cli import app as hub
from autograder.offline.bundle.cli import app as bundle
from autograder.offline.cli import app as assets
from autograder.offline.mirror.cli import app as mirror
from autograder.reports.cli import app as reports
from autograder.student.texts import LANGUAGES, TRANSLATIONS, Texts
from autograder.terminal import terminal

app = typer.Typer(
    name="ustod",
    help="Graded notebooks that teach machine learning on the computers a university has, and their grader.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(gradebook)
app.add_typer(reports)
app.add_typer(assets, name="assets")
app.add_typer(bundle, name="bundle")
app.add_typer(hub, name="hub")
app.add_typer(mirror, name="mirror")
console = terminal()
progress = terminal(stderr=True)

Units = Annotated[Optional[list[str]], typer.Argument(metavar="[UNIT]…", help="Units, such as u04. All without one.")]
Language = Annotated[str, typer.Option("--lang", help=f"Language of the prose: {', '.join(LANGUAGES)}.")]
CourseFolder = Annotated[Path, typer.Option("--course", help="The course directory.")]
CORES = os.cpu_count() or 1
Workers = Annotated[int, typer.Option(min=1, help="Worker processes.")]


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False) -> None:
    """Options that stand before the verb."""
    if debug:
        os.environ["USTOD_DEBUG"] = "1"


@app.command()
def lab(
    lang: Language = "en",
    port: Annotated[Optional[int], typer.Option(min=1, max=65535, help="Port; the first free one without.")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser window.")] = True,
    folder: Annotated[Optional[Path], typer.Option("--dir", help="Where your notebooks are kept.")] = None,
) -> None:
    """Open the course in JupyterLab. Its text is brought up to date; what you wrote in your notebooks stays."""
    from autograder.authoring.unit import find_units, read_unit
    from autograder.lab.extension import LANGUAGE
    from autograder.lab.jupyterlab import free_port, start, write_settings
    from autograder.lab.needs import missing_assets
    from autograder.lab.progress import PROGRESS
    from autograder.lab.workspace import fill_workspace
    from autograder.student.progress import VARIABLE

    texts = Texts(_language(lang))
    units = [read_unit(path) for path in find_units()]
    home = (folder or Path.home() / "ustod").resolve()
    place = home if folder else home / lang  # progress is the same in every language
    placed = fill_workspace(units, lang, place)
    for merged in placed.merged:
        told = texts(
            "The course has changed: {path} has its new text around your answers, and is kept as it was in {before}.",
            path=merged.notebook,
            before=merged.before,
        )
        console.print(told, soft_wrap=True, highlight=False)
    for path in placed.waiting:
        told = texts(
            "The course has a newer version of {path}; to get it, stop the JupyterLab that runs in this folder first.",
            path=path,
        )
        console.print(told, soft_wrap=True, highlight=False)
    for path in placed.kept:
        console.print(texts("Your work in {path} is kept; the course has a newer version of this file.", path=path))
    for unit in units:
        if missing := missing_assets(unit.about.assets):
            names = " ".join(missing)
            told = texts("The unit {unit} needs {names}: run ustod assets fetch", unit=unit.name, names=names)
            console.print(told, soft_wrap=True)
    token, number = secrets.token_hex(16), free_port(port)
    first = placed.notebooks[0].relative_to(place).as_posix()
    url = f"http://127.0.0.1:{number}/lab/tree/{first}?token={token}"

    def ready() -> None:
        console.print(texts("JupyterLab is ready: open {url}", url=url), soft_wrap=True, highlight=False)
        console.print(texts("Your notebooks are in {folder}. Press Ctrl-C here to stop.", folder=place), soft_wrap=True)

    settings = write_settings(place, lang)
    variables = {VARIABLE: str(home / PROGRESS), LANGUAGE: lang}
    code = start(place, settings, placed.notebooks[0], number, token, browser=browser, ready=ready, variables=variables)
    raise typer.Exit(code)


@app.command()
def build(
    units: Units = None,
    out: Annotated[Path, typer.Option("--out", help="The course directory to write.")] = ...,  # type: ignore[assignment]
    lang: Language = "en",
    edition: Annotated[str, typer.Option(help="class: hidden checks run at grading; self-study: at once.")] = "class",
) -> None:
    """Write an nbgrader course directory: source, release and configuration."""
    from autograder.authoring.build import EDITIONS, build_course
    from autograder.authoring.unit import find_units, read_unit

    if edition not in EDITIONS:
        raise typer.BadParameter(f"choose one of {', '.join(EDITIONS)}", param_hint="--edition")
    for built in build_course([read_unit(path) for path in find_units(units)], _language(lang), out, edition):
        stale = f", {built.stale} paragraphs not translated yet" if built.stale else ""
        console.print(f"{built.name}: {built.notebook}{stale}", soft_wrap=True)


@app.command()
def catalog(units: Units = None) -> None:
    """Bring the translation catalogs up to date with their sources; without a unit, the interface's too."""
    from autograder.authoring.catalog import update_catalog
    from autograder.authoring.interface import update_interface_catalog
    from autograder.authoring.unit import find_units, read_unit
    from autograder.hub import words as hub_words
    from autograder.lab import words as lab_words
    from autograder.offline.mirror import words as mirror_words
    from autograder.reports import words as report_words

    for language in TRANSLATIONS:
        if not units:
            done, total = update_interface_catalog(language)
            console.print(f"interface {language}: {done} of {total} texts translated")
            for what, texts, folder in (
                ("lab server", hub_words.hub_texts(), hub_words.CATALOGS),
                ("Course page", lab_words.page_texts(), lab_words.CATALOGS),
                ("mirror", mirror_words.page_texts(), mirror_words.CATALOGS),
                ("reports", report_words.report_texts(), report_words.CATALOGS),
            ):
                done, total = update_interface_catalog(language, texts, folder)
                console.print(f"{what} {language}: {done} of {total} texts translated")
        for unit in map(read_unit, find_units(units)):
            done, total = update_catalog(unit, language)
            console.print(f"{unit.name} {language}: {done} of {total} texts translated")


@app.command()
def verify(units: Units = None, workers: Workers = CORES) -> None:
    """Put units through the gate: what their checks accept, reject and miss. Exit 1 if one falls short."""
    from autograder.authoring.unit import find_units
    from autograder.authoring.verify import Verdict
    from autograder.authoring.verify import verify as examine

    def say(verdict: Verdict) -> None:
        table = Table("", "gate", "measured", title=verdict.unit, title_justify="left", min_width=60)
        for gate in verdict.gates:
            table.add_row("ok" if gate.passed else "FAIL", gate.name, gate.figure)
        console.print(table)
        faults = [verdict.error] if verdict.error else []
        for fault in faults + [fault for gate in verdict.gates for fault in gate.faults]:
            console.print(f"  {fault}", style="red", markup=False, highlight=False, soft_wrap=True)

    def hear(unit: str, gate: str, passed: bool) -> None:
        progress.print(f"{unit}: {gate}: {'ok' if passed else 'FAIL'}", style="dim", highlight=False, soft_wrap=True)

    verdicts = examine(find_units(units), workers, say, hear)
    failed = [verdict.unit for verdict in verdicts if not verdict.passed]
    if failed:
        raise UstodError(f"{len(failed)} of {len(verdicts)} units fall short: {', '.join(failed)}.")


@app.command()
def grade(
    assignment: str,
    course: CourseFolder = Path(),
    student: Annotated[Optional[list[str]], typer.Option(help="Only this student; may be repeated.")] = None,
    workers: Workers = CORES,
    scheduler: Annotated[
        Optional[str], typer.Option(metavar="ADDR", help="Use the workers of the Dask cluster with this scheduler.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Grade again what has not changed.")] = False,
    unsafe: Annotated[
        bool, typer.Option("--unsafe-no-sandbox", help="Run students' code in your own account, with all it may do.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Grade the submissions of an assignment into autograded/ and the gradebook."""
    from autograder.grading.course import open_course
    from autograder.grading.engine import Isolation
    from autograder.grading.engine import grade as run
    from autograder.grading.summary import class_table, class_totals

    opened = open_course(course)
    name = opened.assignment(assignment)
    stopped = "Grading was stopped; what is recorded is kept: run the command again to go on."
    with _may_be_stopped(stopped), _progress(name) as told:
        result = run(
            *(opened, name, student or None),
            workers=workers,
            scheduler=scheduler,
            force=force,
            isolation=Isolation.PROCESS if unsafe else Isolation.SANDBOX,
            progress=told,
        )
    if as_json:
        text = json.dumps({**vars(result), "scores": class_totals(opened, name)}, ensure_ascii=False)
        typer.echo(text.encode("utf-8", "backslashreplace"))  # a name that is no text becomes an escape of JSON
    else:
        console.print(class_table(opened, name))
        console.print(
            f"{len(result.graded)} graded, {len(result.unchanged)} unchanged, {len(result.problems)} problems"
        )
        for note in result.notes:
            console.print(f"note: {note}", soft_wrap=True, markup=False)
    if result.problems:
        who = " ".join(f"{one_line(student)}: {sentence}" for student, sentence in result.problems.items())
        raise UstodError(f"{len(result.problems)} submissions could not be graded. {who}")


@app.command()
def collect(
    paths: Annotated[list[Path], typer.Argument(help="Zips, folders of students' folders, or notebooks.")],
    course: CourseFolder = Path(),
    student: Annotated[Optional[str], typer.Option(help="Whose work it is; else the zip's or folder's name.")] = None,
) -> None:
    """Take submissions from a stick, e-mail or the download of an LMS into submitted/."""
    from autograder.grading.collect import collect as take
    from autograder.grading.course import open_course

    done = take(open_course(course), paths, student)
    for name in done.taken:
        console.print(f"taken: {name}", highlight=False)
    console.print(f"{len(done.taken)} taken, {len(done.unchanged)} unchanged, {len(done.problems)} problems")
    if done.problems:
        raise UstodError(" ".join(done.problems))


@app.command()
def demo(
    unit: Annotated[str, typer.Argument(help="The unit to show.")] = "u04",
    out: Annotated[Path, typer.Option("--out", help="The folder of the demonstration course.")] = Path("demo"),
    lang: Language = "en",
) -> None:
    """Build a course, hand in the work of a made-up class of twelve, grade it and write its feedback."""
    from autograder.authoring.unit import find_units, read_unit
    from autograder.grading.demo import make_demo

    chosen = read_unit(find_units([unit])[0])
    samples = make_demo(chosen, _language(lang), out)
    table = Table("student", "what was handed in", title="A made-up class", title_justify="left")
    for name, sample in samples.items():
        table.add_row(name, sample.kind)
    console.print(table)
    grade(chosen.name, course=out)
    feedback(chosen.name, course=out)


@app.command()
def check(
    notebook: Path,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Grade one notebook of your own, offline. The file is only read."""
    from autograder.grading.selfstudy import check_notebook
    from autograder.grading.summary import exercise_table, self_check_data

    result = check_notebook(notebook)
    if as_json:
        typer.echo(json.dumps(self_check_data(result), ensure_ascii=False))
    else:
        console.print(exercise_table(result))


@app.command()
def feedback(
    assignment: str,
    course: CourseFolder = Path(),
    student: Annotated[Optional[list[str]], typer.Option(help="Only this student; may be repeated.")] = None,
    lang: Annotated[
        Optional[str], typer.Option("--lang", help="Language of the pages; that of the notebook without.")
    ] = None,
) -> None:
    """Write a feedback page for every graded submission, without a line of a hidden check in it."""
    from autograder.grading.course import open_course
    from autograder.reports.feedback import write_feedback

    opened = open_course(course)
    name = opened.assignment(assignment)
    with _progress(name) as told:
        written, failed = write_feedback(
            opened, name, student or None, language=_language(lang) if lang else None, progress=told
        )
    console.print(f"{len(written)} pages in {opened.root / 'feedback'}", soft_wrap=True)
    if failed:
        raise UstodError(f"{len(failed)} pages could not be written. {'; '.join(failed)}")


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Say which guarantees about students' code this machine can give, and what to do about the others."""
    from autograder.kernel.doctor import findings

    found = findings()
    if as_json:
        typer.echo(json.dumps([vars(finding) for finding in found], ensure_ascii=False))
    else:
        table = Table("", "guarantee", "what it means here")
        for finding in found:
            words = f"{finding.words} {finding.mend}".strip()
            table.add_row("ok" if finding.holds else "NO", finding.guarantee, words)
        console.print(table)
    if failed := [finding.guarantee for finding in found if not finding.holds]:
        raise UstodError(f"This machine does not give {len(failed)} of {len(found)} guarantees: {', '.join(failed)}.")


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on the screen; what is given tells it how many are done, of how many."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal(stderr=True), transient=True) as bar:
        line = bar.add_task(name)
        yield lambda done, total: bar.update(line, completed=done, total=total)


@contextmanager
def _may_be_stopped(sentence: str) -> Iterator[None]:
    """Let Ctrl-C and a request to end stop the body; that is told in `sentence`."""
    try:
        with ended_as_by_interrupt():
            yield
    except KeyboardInterrupt:
        raise UstodError(sentence) from None


def _language(code: str) -> str:
    if code not in LANGUAGES:
        raise typer.BadParameter(f"choose one of {', '.join(LANGUAGES)}", param_hint="--lang")
    return code


def main() -> None:
    """Run the command; what a user must look at is one sentence on stderr and exit code 1."""
    try:
        app()
    except UstodError as error:
        if os.environ.get("USTOD_DEBUG"):
            raise
        print(f"ustod: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
