"""The verbs of `ustod hub`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.table import Table

from autograder.errors import UstodError
from autograder.gradebook.cli import regrades, take_all
from autograder.terminal import terminal

app = typer.Typer(help="The lab server: one JupyterHub for a university, from one file.", no_args_is_help=True)
render = typer.Typer(help="The same lab for other platforms.", no_args_is_help=True)
app.add_typer(render, name="render")
console = terminal()

LabFile = Annotated[Path, typer.Option("--lab", help="The lab's file.", envvar="USTOD_LAB")]
HERE = Path("lab.toml")


@app.command()
def check(lab: LabFile = HERE) -> None:
    """Read the lab's file and its class lists, and say what they declare."""
    from autograder.hub.lab import read_lab

    read = read_lab(lab)
    table = Table(
        "course", "instructors", "students", "units", title=f"{read.name}: {read.address}", title_justify="left"
    )
    for course in read.courses:
        students = str(len(read.rosters[course.name]))
        table.add_row(course.name, ", ".join(course.instructors), students, " ".join(course.units))
    console.print(table)


@app.command()
def doctor(lab: LabFile = HERE) -> None:
    """What this machine lacks for the lab, in plain words, with the mend. Exit 1 if the lab cannot run."""
    from autograder.hub.doctor import examine
    from autograder.hub.lab import read_lab
    from autograder.hub.programs import PROXY

    findings = examine(read_lab(lab), PROXY)
    table = Table("", "what", "what it means here")
    for finding in findings:
        table.add_row(
            finding.grade.value, finding.what, finding.sentence + (f" {finding.mend}" if finding.mend else "")
        )
    console.print(table)
    if any(finding.grade.value == "fail" for finding in findings):
        raise UstodError("The lab cannot run like this; mend what is marked fail.")


@app.command()
def up(
    lab: LabFile = HERE,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, as a service of systemd does.")] = False,
) -> None:
    """Start the lab: accounts, folders and courses that are missing are made first."""
    from autograder.hub import control
    from autograder.hub.authority import ca_certificate, fingerprint
    from autograder.hub.lab import read_lab
    from autograder.hub.prepare import prepare

    read = read_lab(lab)
    if foreground:
        _tell(prepare(read))
        control.become_supervisor(read)
    prepared = control.up(read)
    console.print(f"The lab is up: {read.address}", soft_wrap=True)
    _tell(prepared)
    if read.tls.mode == "local-ca":
        path = ca_certificate(read)
        console.print(f"Computers of the lab need the certificate {path} or {read.address}hub/ca.crt;", soft_wrap=True)
        console.print(f"its SHA-256 fingerprint is {fingerprint(path)}", soft_wrap=True)


@app.command()
def down(
    lab: LabFile = HERE,
    keep_servers: Annotated[bool, typer.Option("--keep-servers", help="Let students' servers run on.")] = False,
) -> None:
    """Stop the lab. What people have saved stays."""
    from autograder.hub import control
    from autograder.hub.lab import read_lab

    control.down(read_lab(lab), keep_servers=keep_servers)
    console.print("The lab is down.")


@app.command()
def apply(lab: LabFile = HERE) -> None:
    """Apply a changed lab file or class list to the running lab; nobody's work is interrupted."""
    from autograder.hub import control
    from autograder.hub.lab import read_lab

    prepared, changed = control.apply(read_lab(lab))
    _tell(prepared)
    console.print("Applied." if changed else "The lab is not up; this holds from its next start.")


@app.command("add-course")
def add_course(
    name: str,
    instructor: Annotated[list[str], typer.Option(help="Who teaches it; may be repeated.")],
    lab: LabFile = HERE,
    title: Annotated[str, typer.Option(help="What people read.")] = "",
    unit: Annotated[Optional[list[str]], typer.Option(help="A unit that it begins with; may be repeated.")] = None,
    lang: Annotated[Optional[str], typer.Option(help="Language of its notebooks.")] = None,
) -> None:
    """Add a course, while the lab runs or before."""
    from autograder.hub import changes, control
    from autograder.hub.lab import read_lab

    changed = changes.add_course(read_lab(lab), name, instructor, title=title, units=unit or [], language=lang)
    prepared, _ = control.apply(changed)
    _tell(prepared)
    console.print(f"The course {name} is there.")


@app.command("add-students")
def add_students(
    course: str,
    roster: Path,
    lab: LabFile = HERE,
    replace: Annotated[bool, typer.Option("--replace", help="Take everybody else off the course's list.")] = False,
) -> None:
    """Add the students of a class list (CSV: id, name, email, group) to a course, while the lab runs or before."""
    from autograder.hub import changes, control
    from autograder.hub.lab import read_lab

    changed, new, gone = changes.add_students(read_lab(lab), course, roster, replace=replace)
    prepared, _ = control.apply(changed)
    _tell(prepared)
    console.print(f"{course}: {new} students are new" + (f", {gone} were taken off." if replace else "."))


@app.command()
def status(
    lab: LabFile = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    prometheus: Annotated[bool, typer.Option("--prometheus", help="For monitoring.")] = False,
) -> None:
    """Who is on, memory, disk, what waits to be collected and graded, the last backup."""
    from autograder.hub.lab import read_lab
    from autograder.hub.metrics import metrics_text
    from autograder.hub.status import read_status

    found = read_status(read_lab(lab))
    if prometheus:
        print(metrics_text(found), end="")
    elif as_json:
        print(json.dumps(found.to_json(), ensure_ascii=False, indent=1))
    else:
        console.print(found.table())


@app.command()
def backup(folder: Annotated[Optional[Path], typer.Argument()] = None, lab: LabFile = HERE) -> None:
    """Write one file with the hub's database, gradebooks, the exchange and the lab's file to a folder or a stick."""
    from autograder.hub.backup import make
    from autograder.hub.lab import read_lab

    read = read_lab(lab)
    target = folder or read.backup.folder
    if target is None:
        raise UstodError(f"Name a folder, or set [backup] folder in {lab}.")
    made = make(read, target)
    console.print(f"The backup is {made.path}", soft_wrap=True)
    for what in (*made.manifest.passed_over, *made.manifest.torn):
        console.print(f"Not in it, or not as it was at one moment: {what}", soft_wrap=True, markup=False)
    if not made.private:
        console.print("This disk cannot keep others from reading the backup, which holds the lab's keys: lock it away.")


@app.command()
def restore(file: Path, lab: LabFile = HERE) -> None:
    """Put back what a backup holds; what is there now is kept beside it. The lab must be down."""
    from autograder.hub.machine import ensure_account, ensure_system_account
    from autograder.hub.restore import restore as put_back

    def ensure(name: str, home: Path | None) -> object:
        return ensure_account(name, home) if home else ensure_system_account(name)

    done = put_back(file, lab, ensure_account=ensure)
    for kept in done.kept:
        console.print(f"What was there before is kept as {kept}", soft_wrap=True)
    for name in done.strangers:
        console.print(f"This machine has no account {name}; root owns its files now.", soft_wrap=True)
    console.print("Restored; ustod hub up starts it.")


@render.command()
def kubernetes(out: Path, lab: LabFile = HERE) -> None:
    """Write values for the zero-to-jupyterhub chart, and what the chart does not make, to a file and its folder."""
    from autograder.hub.kubernetes import write_values
    from autograder.hub.lab import read_lab

    for path in write_values(read_lab(lab), out):
        console.print(f"Written: {path}", soft_wrap=True)


@regrades.command("send")
def send_request(file: Annotated[Path, typer.Argument(help="The file regrade.json beside the notebook.")]) -> None:
    """Send one's requests for a regrade through the lab's exchange."""
    from autograder.hub.exchange.asking import send_request as send

    receipt = send(file)
    console.print(f"Sent: {receipt.course} {receipt.assignment} {receipt.received}", soft_wrap=True)


@regrades.command("fetch")
def fetch_requests(course: Annotated[Path, typer.Option("--course", help="The course directory.")] = Path()) -> None:
    """Take into the queue what students of the lab have asked through its exchange."""
    from autograder.grading.course import open_course
    from autograder.hub.exchange.asking import fetch_requests as fetch

    opened = open_course(course)
    found = fetch(str(opened.directory.course_id))
    take_all(opened, ((student, content, f"regrade.json of {student}") for student, content in found))


def _tell(prepared: object) -> None:
    from autograder.hub.prepare import Prepared

    assert isinstance(prepared, Prepared)
    for name in prepared.courses:
        console.print(f"New course: {name}")
    if prepared.slips:
        console.print(f"First-login codes of {len(prepared.newcomers)} people, to be printed and cut:", soft_wrap=True)
        console.print(str(prepared.slips), soft_wrap=True)
