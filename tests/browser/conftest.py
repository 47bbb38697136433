"""A learner's JupyterLab, started by the real command, and Chromium to look at it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

CHROMIUM = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,1000",
)


def start_browser(profile: Path, more: Sequence[str] = ()) -> webdriver.Chrome:
    """Chromium without a window, with a profile of its own and `more` arguments."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in (*CHROMIUM, *more, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_script_timeout(600)
    return driver


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    driver = start_browser(tmp_path / "chromium")
    yield driver
    driver.quit()


class Lab:
    """`ustod lab` as a learner starts it."""

    def __init__(self, folder: Path, language: str, config: Path) -> None:
        # Only so that a test can scroll to a cell by name; a learner does it with the wheel.
        config.mkdir()
        (config / "jupyter_lab_config.json").write_text(json.dumps({"LabApp": {"expose_app_in_browser": True}}))
        environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(config), "PYTHONUNBUFFERED": "1"}
        command = [
            sys.executable,
            "-m",
            "autograder.cli",
            "lab",
            "--lang",
            language,
            "--no-browser",
            "--dir",
            str(folder),
        ]
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.url = self._url()

    def _url(self) -> str:
        deadline = time.monotonic() + 120
        seen = ""
        assert self.process.stdout is not None
        while time.monotonic() < deadline:
            line = self.process.stdout.readline()
            seen += line
            if found := re.search(r"http://127\.0\.0\.1:\d+/lab/tree/\S+", line):
                return found[0]
            if not line and self.process.poll() is not None:
                break
        raise AssertionError(f"ustod lab printed no URL: {seen}")

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[type]:
    started: list[Lab] = []

    def start(language: str) -> Lab:
        started.append(Lab(tmp_path / "дафтари ман", language, tmp_path / "config"))
        return started[-1]

    yield start
    for one in started:
        one.stop()
