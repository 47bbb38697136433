"""People in front of real browsers at the lab: what their hands do, and what their browsers asked of whom."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from browser.conftest import start_browser
from browser.page import OpenNotebook
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from shared import wait_for

HTTP = ("http", "https", "ws", "wss")


def trust(address: str) -> str:
    """The option by which Chromium takes the certificate that is shown at `address` now, and no other, for good."""
    parts = urlsplit(address)
    shown = ssl.get_server_certificate((parts.hostname or "", parts.port or 443))
    key = x509.load_pem_x509_certificate(shown.encode()).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return f"--ignore-certificate-errors-spki-list={base64.b64encode(digest).decode()}"


class Person:
    """One person and their browser.

    Args:
        address: of the lab.
        name: whom they log in as.
        profile: the browser's own folder.
        width: of the screen in CSS pixels; at 640 or less it is a telephone's.
    """

    def __init__(self, address: str, name: str, profile: Path, width: int = 1280) -> None:
        self.address, self.name, self.width = address, name, width
        self.browser = start_browser(profile, [trust(address), "--no-proxy-server"])
        phone = width <= 640
        screen = {"width": width, "height": 844 if phone else 800, "deviceScaleFactor": 1, "mobile": phone}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.events: list[dict[str, Any]] = []
        self.console: list[str] = []

    def close(self) -> None:
        self.browser.quit()

    def find(self, selector: str, text: str = "", patience: float = 60) -> WebElement:
        """The first element that is shown, matches `selector` and says `text`, once there is one."""

        def matching() -> list[WebElement]:
            try:
                elements = self.browser.find_elements(By.CSS_SELECTOR, selector)
                return [one for one in elements if one.is_displayed() and text in one.text]
            except StaleElementReferenceException:
                return []

        self.wait(matching, f"{selector} {text}", patience)
        return matching()[0]

    def wait(self, done: Callable[[], object], what: str, patience: float = 60) -> None:
        """Wait until `done`; with a picture of what stands there instead if it never is."""
        try:
            wait_for(done, patience)
        except TimeoutError:
            self.picture("waited-in-vain")
            page = self.browser.find_element(By.TAG_NAME, "body").text
            raise AssertionError(f"{self.name} waited for {what} at {self.browser.current_url}:\n{page}") from None

    def go(self, path: str) -> None:
        """Open a page of the lab."""
        self.browser.get(self.address + path)

    def shown(self) -> str:
        """The text on the page."""
        return self.browser.find_element(By.TAG_NAME, "body").text

    def picture(self, name: str) -> None:
        """Keep what is on the screen, if anybody asked for pictures."""
        if folder := os.environ.get("USTOD_PICTURES"):
            self.browser.save_screenshot(f"{folder}/{self.name}-{name}.png")

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        script = "return document.documentElement.scrollWidth - window.innerWidth"
        return max(0, int(self.browser.execute_script(script)))

    def log_in(self, secret: str, language: str) -> None:
        """Open the lab, choose a language by its own name, and type the secret."""
        self.go("")
        self.find(".ustod-languages a", language).click()
        self.wait(lambda: language in self.find(".ustod-languages [aria-current]").text, language)
        self.find("#username_input").send_keys(self.name)
        self.find("#password_input").send_keys(secret)
        self.picture("1-login")
        self.find("#login_submit").click()

    def choose_password(self, password: str) -> None:
        """On the page that follows upon the first-login code."""
        for field in ("#new", "#again"):
            self.find(field).send_keys(password)
        self.picture("2-password")
        self.find("#choose button[type=submit]").click()

    def wait_for_lab(self) -> None:
        """Wait until JupyterLab can be worked with."""
        ready = (
            "return !!document.querySelector('#jp-main-dock-panel') && !document.querySelector('#jupyterlab-splash')"
        )
        self.wait(lambda: self.browser.execute_script(ready), "JupyterLab", 300)
        self.find(".jp-LauncherCard, .jp-Notebook, .nbgrader-mainarea-widget", patience=120)
        time.sleep(3)  # what it loads when it has nothing else to do belongs to the load

    def keys(self, *keys: str) -> None:
        """Press keys together, wherever the cursor stands."""
        self.browser.switch_to.active_element.send_keys(*keys)

    def put_files_away(self) -> None:
        """Close the list of files, which on a telephone leaves no room for anything else."""
        script = (
            "const shell = window.jupyterapp.shell;"
            "if (!shell.leftCollapsed) window.jupyterapp.commands.execute('application:toggle-left-area');"
        )
        self.browser.execute_script(script)

    def command(self, label: str) -> None:
        """Run a command by the name that the palette has for it."""
        self.keys(Keys.CONTROL, Keys.SHIFT, "c")
        self.find(".lm-CommandPalette-input").send_keys(label)
        self.find(".lm-CommandPalette-item", label).click()

    def open_assignments(self) -> None:
        """Show nbgrader's list, as it is now."""
        self.command("Assignment List")
        self.find(".nbgrader-mainarea-widget #released_assignments_list")

    def press(self, section: str, button: str) -> None:
        """Press a button in a section of the list: released, fetched, submitted."""
        self.find(f"#{section}_assignments_list button", button).click()

    def open_notebook(self, name: str) -> OpenNotebook:
        """Open a fetched notebook from the list."""
        self.find("#fetched_assignments_list .assignment-notebooks-link").click()
        self.find("#fetched_assignments_list .nested_list_item a", name).click()
        self.find(".jp-Notebook .jp-Cell")
        return OpenNotebook(self.browser)

    def choose_kernel(self, label: str) -> None:
        """Choose another kernel in JupyterLab's dialogue."""
        self.browser.execute_script("window.jupyterapp.commands.execute('notebook:change-kernel')")
        choices = self.find(".jp-Dialog select")
        for option in choices.find_elements(By.TAG_NAME, "option"):
            if option.text == label:
                option.click()
        self.picture("5-kernels")
        self.find(".jp-Dialog .jp-mod-accept").click()
        ready = (
            "const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel;"
            "const specs = window.jupyterapp.serviceManager.kernelspecs.specs.kernelspecs;"
            "return kernel?.status === 'idle' && specs[kernel.name].display_name === arguments[0]"
        )
        self.wait(lambda: self.browser.execute_script(ready, label), label, 120)

    def open(self, element: WebElement) -> None:
        """Open what stands in the list of files."""
        ActionChains(self.browser).double_click(element).perform()

    def listen(self) -> None:
        """Take over what the browser has noted since the last time."""
        self.events += [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        self.console += [entry["message"] for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]

    def hosts(self) -> set[str | None]:
        """Whom the browser asked anything of."""
        self.listen()
        sent = {"Network.requestWillBeSent": lambda about: about["request"]["url"]}
        sent["Network.webSocketCreated"] = lambda about: about["url"]
        urls = [sent[event["method"]](event["params"]) for event in self.events if event["method"] in sent]
        return {urlsplit(url).hostname for url in urls if urlsplit(url).scheme in HTTP}

    def bytes_of(self, load: Callable[[], object]) -> int:
        """Bytes that came over the line for one's own server while `load` ran, headers and redirects included."""
        self.listen()
        before = len(self.events)
        load()
        self.listen()
        return transferred(self.events[before:], f"/user/{self.name}/")


def transferred(events: Sequence[dict[str, Any]], path: str) -> int:
    """The bytes, as they were on the line, of all answers to requests whose address begins with `path`."""
    ours: set[str] = set()
    total = 0
    for event in events:
        about = event["params"]
        if event["method"] == "Network.requestWillBeSent":
            if about["requestId"] in ours and "redirectResponse" in about:
                total += about["redirectResponse"]["encodedDataLength"]
            if urlsplit(about["request"]["url"]).path.startswith(path):
                ours.add(about["requestId"])
        elif event["method"] == "Network.loadingFinished" and about["requestId"] in ours:
            total += about["encodedDataLength"]
    return int(total)
