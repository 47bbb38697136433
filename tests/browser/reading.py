"""A page in front of a real reader: can everybody read it, does it fit the screen, does it ask anything of anybody?"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from selenium.webdriver.chrome.webdriver import WebDriver

#: CSS pixels of a telephone and of a desk.
WIDTHS = (390, 1280)
#: Set-up for development brings it.
AXE = Path(sys.prefix) / "share" / "ustod" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
_RUN = """
const done = arguments[arguments.length - 1];
axe.run(arguments[0]).then(found => done(found.violations.map(
  one => one.id + ': ' + one.nodes.map(node => node.html.slice(0, 200)).join(' | '))), wrong => done([String(wrong)]));
"""


def complaints(browser: WebDriver, url: str, width: int, hosts: tuple[str, ...] = ()) -> list[str]:
    """What is wrong with the page at `url` on a screen `width` wide; it may ask for files and of `hosts`.

    What axe-core finds, errors on the console, requests to others, and what does not fit the screen's width.
    """
    phone = width < 600
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(url)
    found = [f"console: {line['message']}" for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    found += [f"asked {url}" for url in requests(browser) if not _is_own(url, hosts)]
    wide = int(browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth"))
    found += [f"{wide} pixels wider than {width}"] if wide > 0 else []
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    return found + violations(browser)


def violations(browser: WebDriver, part: str = "html") -> list[str]:
    """What axe-core finds in the part of the open page that the selector `part` names."""
    browser.execute_script(AXE.read_text("utf-8"))
    return [f"axe: {line}" for line in browser.execute_async_script(_RUN, part)]


def requests(browser: WebDriver) -> list[str]:
    """Every address that the browser asked since the last look."""
    logged = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [one["params"]["request"]["url"] for one in logged if one["method"] == "Network.requestWillBeSent"]


def picture(browser: WebDriver, name: str) -> None:
    """Keep the whole page as a picture, if anybody asked for pictures."""
    if folder := os.environ.get("USTOD_PICTURES"):
        size = browser.execute_script("return [window.innerWidth, document.documentElement.scrollHeight]")
        screen = {"width": size[0], "height": min(size[1], 8000), "deviceScaleFactor": 1, "mobile": size[0] < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        browser.save_screenshot(f"{folder}/{name}.png")


def _is_own(url: str, hosts: tuple[str, ...]) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("file", "data", "blob") or parts.hostname in hosts
