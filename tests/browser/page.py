"""A notebook open in JupyterLab: what a learner's hands do, by cell name."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

_NOTEBOOK = "const nb = window.jupyterapp.shell.currentWidget.content;"


class OpenNotebook:
    """Drives one open notebook with the mouse and the keyboard.

    Args:
        browser: in which it is or will be open.
        url: its address; None if it is open already.
    """

    def __init__(self, browser: WebDriver, url: str | None = None) -> None:
        self.browser = browser
        if url is not None:
            self._deadline(lambda: browser.get(url) or True, 60)
        ready = (
            "const w = window.jupyterapp?.shell?.currentWidget;"
            "return !!w?.content?.widgets?.length && w.sessionContext?.session?.kernel?.status === 'idle'"
        )
        self._deadline(lambda: browser.execute_script(ready), 120)

    def cell(self, grade_id: str) -> WebElement:
        """Scroll to the cell and give its element."""
        script = (
            _NOTEBOOK
            + "const i = nb.widgets.findIndex(w => w.model.getMetadata('nbgrader')?.grade_id === arguments[0]);"
            "if (i < 0) return null; nb.activeCellIndex = i; return nb.scrollToItem(i, 'center').then(() => i)"
        )
        index = self.browser.execute_script(script, grade_id)
        assert index is not None, f"no cell {grade_id}"
        return self._element(index)

    def type_into(self, grade_id: str, text: str) -> None:
        """Replace what stands in the cell by `text`, as if pasted."""
        self.cell(grade_id).find_element(By.CSS_SELECTOR, ".cm-content").click()
        focused = self.browser.switch_to.active_element
        focused.send_keys(Keys.CONTROL, "a")
        self.browser.execute_cdp_cmd("Input.insertText", {"text": text})

    def run(self, grade_id: str) -> WebElement:
        """Run the cell with Shift+Enter and give its element when the kernel is done."""
        self.cell(grade_id).find_element(By.CSS_SELECTOR, ".cm-content").click()
        self.browser.switch_to.active_element.send_keys(Keys.SHIFT, Keys.ENTER)
        self.wait_until_idle()
        return self.cell(grade_id)

    def run_all(self) -> None:
        """Run every cell from the top."""
        script = "return window.jupyterapp.commands.execute('notebook:run-all-cells')"
        self.browser.execute_script(script)
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait for the kernel to have nothing left to do."""
        script = (
            _NOTEBOOK + "const s = window.jupyterapp.shell.currentWidget.sessionContext;"
            "return s.session?.kernel?.status === 'idle' && nb.widgets.every(w => w.prompt !== '*')"
        )
        time.sleep(0.5)
        self._deadline(lambda: self.browser.execute_script(script), 600)

    def errors(self) -> list[str]:
        """Errors that stand in the outputs, by name and text."""
        script = (
            _NOTEBOOK + "return nb.widgets.flatMap(w => (w.model.toJSON().outputs ?? [])"
            ".filter(o => o.output_type === 'error').map(o => o.ename + ': ' + o.evalue))"
        )
        found: list[str] = self.browser.execute_script(script)
        return found

    def states(self, grade_id: str) -> list[str]:
        """The states in the table under a check cell."""
        rows = self.cell(grade_id).find_elements(By.CSS_SELECTOR, "[data-state]")
        return [str(row.get_attribute("data-state")) for row in rows]

    def _element(self, index: int) -> WebElement:
        found = f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}']"
        self._deadline(lambda: self.browser.find_elements(By.CSS_SELECTOR, found), 30)
        return self.browser.find_element(By.CSS_SELECTOR, found)

    @staticmethod
    def _deadline(done: Callable[[], Any], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, "the page took too long"
            time.sleep(0.3)
