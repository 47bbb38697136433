"""Take the README's pictures anew, from the top of the checkout: PYTHONPATH=tests python -m browser.pictures"""

from __future__ import annotations

import tempfile
from pathlib import Path

from browser.conftest import Lab, start_browser
from browser.page import OpenNotebook

from autograder.authoring.unit import find_units, read_unit
from autograder.authoring.variants import read_variants
from autograder.grading.course import open_course
from autograder.grading.demo import make_demo
from autograder.grading.engine import grade
from autograder.reports.feedback import write_feedback

FOLDER = Path(__file__).parents[2] / "course" / "pictures"
UNIT = "u04"


def main() -> None:
    """A learner's screen and a feedback page, in Tajik."""
    FOLDER.mkdir(exist_ok=True)
    unit = read_unit(find_units([UNIT])[0])
    exercise = unit.lesson.exercises[1]
    wrong = next(v for v in read_variants(unit) if set(v.answers) == {exercise} and v.fails)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        browser = start_browser(folder / "chromium")
        lab = Lab(folder / "work", "tg", folder / "config")
        try:
            notebook = OpenNotebook(browser, lab.url)
            name = exercise.replace(".", "-")
            notebook.run_all()
            notebook.type_into(name, wrong.answers[exercise])
            notebook.run(name)
            notebook.run(f"{name}-check")
            browser.execute_script("window.jupyterapp.commands.execute('application:toggle-left-area')")
            notebook.cell(f"{name}-check")
            browser.save_screenshot(str(FOLDER / "learner.png"))
            samples = make_demo(unit, "tg", folder / "demo")
            course = open_course(folder / "demo")
            rejected = {v.name for v in read_variants(unit) if v.fails}
            student = next(name for name, sample in samples.items() if sample.kind in rejected)
            grade(course, unit.name, [student], workers=1)
            write_feedback(course, unit.name, [student])
            page = course.folder("feedback", student, unit.name) / f"{unit.name}.html"
            browser.get(page.as_uri())
            browser.execute_script("document.querySelector('[data-state=wrong]').closest('section').scrollIntoView()")
            browser.save_screenshot(str(FOLDER / "feedback.png"))
        finally:
            browser.quit()
            lab.stop()


if __name__ == "__main__":
    main()
