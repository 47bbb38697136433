"""The verbs of `ustod` that read and change a gradebook."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from rich.table import Table
from rich.text import Text

from autograder.errors import UstodError, one_line
from autograder.terminal import terminal

if TYPE_CHECKING:
    from autograder.grading.course import Course

app = typer.Typer(no_args_is_help=True)
regrades = typer.Typer(help="Students who ask for a grade to be looked at again.", no_args_is_help=True)
rubrics = typer.Typer(help="What a person looks at who grades, and two people who mark the same.", no_args_is_help=True)
lms = typer.Typer(help="Grades to an LMS by LTI 1.3, as the course's lti.toml says.", no_args_is_help=True)
app.add_typer(regrades, name="regrade")
app.add_typer(lms, name="lti")
app.add_typer(rubrics, name="rubric")
console = terminal()

CourseFolder = Annotated[Path, typer.Option("--course", help="The course directory.")]
OneAssignment = Annotated[Optional[str], typer.Option("--assignment", help="Only this one.")]
OneStudent = Annotated[Optional[str], typer.Option("--student", help="Only this one.")]


@app.command()
def export(
    course: CourseFolder = Path(),
    form: Annotated[str, typer.Option("--format", help="csv, moodle, canvas or xlsx.")] = "csv",
    assignment: OneAssignment = None,
    out: Annotated[Optional[Path], typer.Option("--out", help="The file; grades-FORMAT here without.")] = None,
    excel: Annotated[
        bool, typer.Option("--semicolons", help="As Excel in Russian or Tajik reads CSV: 2,5 instead of 2.5.")
    ] = False,
) -> None:
    """Write the grades for an LMS or a spreadsheet. Work without a final grade is told apart from zero."""
    from autograder.files import write_bytes
    from autograder.gradebook.export import FORMATS
    from autograder.gradebook.standing import State, standings
    from autograder.gradebook.tables import EXCEL_WITH_COMMAS, PLAIN
    from autograder.grading.course import open_course

    if form not in FORMATS:
        raise typer.BadParameter(f"choose one of {', '.join(FORMATS)}", param_hint="--format")
    opened = open_course(course)
    grades = standings(opened, opened.assignment(assignment) if assignment else None)
    write, ending = FORMATS[form]
    target = out or Path(f"grades-{form}{ending}")
    try:
        write_bytes(target, write(grades, EXCEL_WITH_COMMAS if excel else PLAIN), mode=0o600)
    except OSError as error:
        raise UstodError(f"The file {target} cannot be written: {error.strerror or error}.") from None
    states = [work.state for work in grades.of.values()]
    counts = ", ".join(f"{states.count(state)} {state.value}" for state in State if state in states)
    console.print(f"{target}: {len(grades.people)} students, {len(grades.tasks)} assignments", soft_wrap=True)
    console.print(counts or "no work yet", soft_wrap=True)


@app.command()
def audit(
    course: CourseFolder = Path(),
    student: OneStudent = None,
    assignment: OneAssignment = None,
    noted: Annotated[
        Optional[str], typer.Option("--noted", metavar="HASH", help="A hash printed earlier, to be looked for.")
    ] = None,
) -> None:
    """Show every change of a grade: who, when, from what, to what, why; and check that nobody changed the log."""
    from autograder.audit.trail import faults, lines
    from autograder.audit.watch import notice
    from autograder.gradebook.standing import opened
    from autograder.grading.course import open_course

    found = open_course(course)
    name = found.assignment(assignment) if assignment else None
    with opened(found) as book:
        outside = notice(book.db())
        connection = book.db().connection()
        wrong = faults(connection, noted)
        log = list(lines(connection, student, name))
        last = log[-1] if not (student or name) and log else None
    table = Table("", "when (UTC)", "who", "why", "student", "assignment", "what", "from", "to")
    for line in log:
        moment = line.moment[:19].replace("T", " ")
        head = [str(line.number), moment, line.who, line.why, line.student, line.assignment]
        for change in line.changes:
            what = f"{change.score.cell} {change.score.kind}".strip()
            cells = [*head, what, _points(change.before), _points(change.after)]
            table.add_row(*(Text(one_line(cell)) for cell in cells))
            head = [""] * len(head)
        if not line.changes:
            table.add_row(*(Text(one_line(cell)) for cell in head))
    console.print(table)
    if last:
        console.print(f"The last line has the hash {last.sha256}: note it down to find out later whether it is there.")
    if wrong:
        raise UstodError(f"The audit log of {found.root} was tampered with. {' '.join(wrong)}")
    console.print(f"{len(log)} lines; the log is whole." + (f" {outside} are new: see above." if outside else ""))


@app.command()
def roster(
    file: Annotated[Path, typer.Argument(help="CSV of a spreadsheet, or of Moodle's page of participants.")],
    course: CourseFolder = Path(),
    ids_from_email: Annotated[
        bool, typer.Option("--ids-from-email", help="The part before the @ is the student's id.")
    ] = False,
) -> None:
    """Take a class list into the gradebook. Nobody is taken out, and no grade changes."""
    from autograder.gradebook.classlist import enrol
    from autograder.grading.course import open_course

    done = enrol(open_course(course), file, ids_from_email=ids_from_email)
    for who, what in done.changed.items():
        console.print(f"changed: {one_line(who)}: {one_line(what)}", markup=False, highlight=False, soft_wrap=True)
    if done.others:
        listed = " ".join(map(one_line, done.others))
        console.print(f"not on the list, and kept: {listed}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{len(done.added)} added, {len(done.changed)} changed, {len(done.unchanged)} left alone")


@regrades.command("collect")
def collect_requests(
    paths: Annotated[
        Optional[list[Path]], typer.Argument(help="Files regrade.json, zips, or folders of students' folders.")
    ] = None,
    course: CourseFolder = Path(),
    student: Annotated[Optional[str], typer.Option("--student", help="Whose they are; else the folder's name.")] = None,
) -> None:
    """Take requests into the queue: from files or, without any, from work that was handed in."""
    from autograder.gradebook.regrade import brought, handed_in
    from autograder.grading.course import open_course

    opened = open_course(course)
    found = [one for path in paths for one in brought(path, student)] if paths else handed_in(opened)
    take_all(opened, found)


def take_all(course: Course, found: Iterable[tuple[str, bytes, str]]) -> None:
    """Take requests into the queue, each the student's, the file's content and what to call it; tell how many.

    Raises:
        UstodError: if some cannot be taken; the others are.
    """
    from autograder.gradebook.regrade import take

    new, problems = 0, []
    for who, content, source in found:
        try:
            new += take(course, who, content, source)
        except UstodError as error:
            problems.append(str(error))
    console.print(f"{new} new requests; see ustod regrade list")
    if problems:
        raise UstodError(" ".join(problems))


@regrades.command("list")
def list_requests(
    course: CourseFolder = Path(),
    everything: Annotated[bool, typer.Option("--all", help="Those that are answered too.")] = False,
    page: Annotated[Optional[Path], typer.Option("--page", help="Write them to this HTML file instead.")] = None,
    lang: Annotated[str, typer.Option("--lang", help="Language of the page: en, tg, ru.")] = "en",
) -> None:
    """Show who waits for an answer."""
    from autograder.files import write_text
    from autograder.gradebook.regrade import queue
    from autograder.gradebook.regrade_page import regrade_page
    from autograder.grading.course import open_course
    from autograder.student.texts import LANGUAGES

    if lang not in LANGUAGES:
        raise typer.BadParameter(f"choose one of {', '.join(LANGUAGES)}", param_hint="--lang")
    opened = open_course(course)
    requests = queue(opened, all_of_them=everything)
    if page is not None:
        write_text(page, regrade_page(requests, str(opened.directory.course_id or opened.root.name), lang), mode=0o600)
        console.print(f"{page}: {len(requests)} requests", soft_wrap=True)
        return
    if not requests:
        console.print("Nobody has asked." if everything else "Nobody waits for an answer.")
        return
    table = Table("", "student", "assignment", "exercise", "asked", "why", "answer")
    for one in requests:
        cells = (str(one.number), one.student, one.assignment, one.exercise, one.asked[:10], one.reason, one.answer)
        table.add_row(*(Text(one_line(cell or "")) for cell in cells))
    console.print(table)


@regrades.command("answer")
def answer_request(
    number: int,
    words: Annotated[str, typer.Option("--words", help="What the student reads in the next feedback.")],
    score: Annotated[Optional[float], typer.Option("--score", help="What the exercise is worth from now on.")] = None,
    course: CourseFolder = Path(),
) -> None:
    """Answer a request; the grade changes only if a score is given."""
    from autograder.gradebook.regrade import answer
    from autograder.grading.course import open_course

    done = answer(open_course(course), number, words, score)
    console.print(f"Answered: {one_line(done.student)}, {done.assignment}; write the feedback again.", markup=False)


@rubrics.command("new")
def new_rubric(assignment: str, course: CourseFolder = Path()) -> None:
    """Write a rubric to begin with, for the cells that a person grades."""
    from autograder.gradebook.rubric import new_rubric as write
    from autograder.grading.course import open_course

    opened = open_course(course)
    console.print(f"Written: {write(opened, opened.assignment(assignment))}", soft_wrap=True)


@rubrics.command("check")
def check_rubric(assignment: str, course: CourseFolder = Path()) -> None:
    """Say whether the rubric fits the cells; formgrader shows it at each of them."""
    from autograder.gradebook.rubric import faults
    from autograder.grading.course import open_course

    opened = open_course(course)
    if wrong := faults(opened, opened.assignment(assignment)):
        raise UstodError(" ".join(wrong))
    console.print("The rubric fits.")


@rubrics.command("sheet")
def marking_sheet(
    assignment: str,
    out: Annotated[Path, typer.Option("--out", help="The CSV file to write.")],
    course: CourseFolder = Path(),
    cell: Annotated[Optional[list[str]], typer.Option("--cell", help="Only this one; may be repeated.")] = None,
) -> None:
    """Write an empty sheet for a second person, who is not to see the first one's marks."""
    from autograder.files import write_bytes
    from autograder.gradebook.marking import sheet
    from autograder.grading.course import open_course

    opened = open_course(course)
    if out.exists():
        raise UstodError(f"The file {out} is there already, perhaps with marks in it; name another.")
    write_bytes(out, sheet(opened, opened.assignment(assignment), cell or ()), mode=0o600)
    console.print(f"Written: {out}", soft_wrap=True)


@rubrics.command("agree")
def agreement(
    assignment: str,
    marks: Annotated[list[Path], typer.Argument(help="A sheet, to be compared with the gradebook; or two sheets.")],
    course: CourseFolder = Path(),
) -> None:
    """Show how far two people agree, and on whom they do not: Cohen's kappa, plain and with quadratic weights."""
    from autograder.gradebook.marking import compare, marks_in_gradebook, read_marks
    from autograder.gradebook.rubric import manual_cells
    from autograder.grading.course import open_course

    if len(marks) > 2:
        raise typer.BadParameter("name one sheet or two", param_hint="MARKS")
    opened = open_course(course)
    name = opened.assignment(assignment)
    worth = manual_cells(opened, name)
    sheets = [read_marks(path, worth) for path in marks]
    first = sheets[0] if len(sheets) == 2 else marks_in_gradebook(opened, name)
    found = compare(first, sheets[-1])
    if not found:
        raise UstodError(f"Nobody's work of {name} was marked by both.")
    table = Table("cell", "students", "the same", "kappa", "weighted kappa")
    for one in found:
        kappas = ("–" if value is None else f"{value:.3f}" for value in (one.kappa, one.weighted))
        table.add_row(Text(one.cell), str(one.students), str(one.same), *kappas)
    console.print(table)
    for one in found:
        for student, left, right in one.differ:
            console.print(f"{one.cell}: {one_line(student)}: {left:g} and {right:g}", markup=False, highlight=False)


@rubrics.command("record")
def record_marks(
    assignment: str,
    marks: Annotated[Path, typer.Argument(help="The sheet on which both have agreed.")],
    course: CourseFolder = Path(),
) -> None:
    """Give the marks of a sheet as manual grades; each change is in the audit log."""
    from autograder.gradebook.marking import record_marks as give
    from autograder.grading.course import open_course

    opened = open_course(course)
    console.print(f"{give(opened, opened.assignment(assignment), marks)} grades changed")


@lms.command("key")
def public_key(
    course: CourseFolder = Path(),
    as_jwks: Annotated[bool, typer.Option("--jwks", help="As a JSON Web Key Set, for Canvas.")] = False,
) -> None:
    """Print the public key with which the LMS knows this course; made at the first call."""
    from autograder.gradebook.lti import own_key
    from autograder.grading.course import open_course

    key = own_key(open_course(course).root)
    typer.echo(key.jwks if as_jwks else key.public.decode())


@lms.command("members")
def lms_members(course: CourseFolder = Path()) -> None:
    """Ask the LMS who its members are, and note in the gradebook which student is which of them."""
    from autograder.gradebook.lti import Platform, own_key, read_settings
    from autograder.gradebook.passback import learn_members
    from autograder.grading.course import open_course

    opened = open_course(course)
    known, unknown = learn_members(opened, Platform(read_settings(opened.root), own_key(opened.root)))
    console.print(f"{known} students are known to the LMS")
    if unknown:
        raise UstodError(f"{len(unknown)} are not: {' '.join(map(one_line, unknown))}.")


@lms.command("send")
def send_to_lms(
    assignment: str,
    course: CourseFolder = Path(),
    force: Annotated[bool, typer.Option("--force", help="Send again what has not changed.")] = False,
) -> None:
    """Send the grades of an assignment to the LMS; cut off, the same command goes on where it was."""
    from autograder.gradebook.lti import Platform, own_key, read_settings
    from autograder.gradebook.passback import send_grades
    from autograder.grading.course import open_course

    opened = open_course(course)
    platform = Platform(read_settings(opened.root), own_key(opened.root))
    done = send_grades(opened, platform, opened.assignment(assignment), force=force)
    console.print(f"{len(done.sent)} sent, {len(done.unchanged)} unchanged")
    problems = list(done.problems)
    if done.strangers:
        who = " ".join(map(one_line, done.strangers))
        problems.append(f"{len(done.strangers)} students have no lms_user_id; run ustod lti members: {who}.")
    if problems:
        raise UstodError(" ".join(problems))


def _points(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
