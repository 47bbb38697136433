"""The first login of a student with a telephone, in Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.conftest import start_browser
from hub.login import Hub
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

PASSWORD = "дарёи Варзоб сард аст"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(tmp_path)
    hub.start()
    yield hub
    hub.stop()


def test_a_first_login_on_a_telephone(hub: Hub, tmp_path: Path) -> None:
    code = hub.accounts.enrol(["s2301"])["s2301"]
    browser = start_browser(tmp_path / "chromium")
    telephone = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", telephone)

    def field(name: str) -> WebElement:
        return browser.find_element(By.NAME, name)

    def fits() -> None:
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, browser.current_url

    try:
        browser.get(hub.url + "login?next=%2Fhub%2Fhome")
        browser.find_element(By.LINK_TEXT, "Русский").click()
        assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == "ru"
        fits()
        field("username").send_keys("s2301")
        field("password").send_keys(code.lower(), Keys.ENTER)
        assert browser.find_element(By.TAG_NAME, "h1").text == "Придумайте пароль"
        fits()
        browser.find_element(By.CSS_SELECTOR, "button[lang=tg]").click()
        assert browser.find_element(By.TAG_NAME, "h1").text == "Парол интихоб кунед"
        field("new").send_keys("12345678")
        field("again").send_keys("12345678", Keys.ENTER)
        assert "ҳама пеш аз ҳама" in browser.find_element(By.CSS_SELECTOR, "[role=alert]").text
        fits()
        browser.find_element(By.ID, "show_password").click()
        assert field("new").get_attribute("type") == "text"
        field("new").send_keys(PASSWORD)
        field("again").send_keys(PASSWORD, Keys.ENTER)
        assert browser.current_url == hub.url + "home"
        fits()
        browser.find_element(By.LINK_TEXT, "Иваз кардани парол").click()
        assert browser.find_element(By.TAG_NAME, "h1").text == "Иваз кардани парол"
        fits()
        thrown = [entry["message"] for entry in browser.get_log("browser") if "Uncaught" in entry["message"]]
        assert not thrown
        sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        urls = [one["params"]["request"]["url"] for one in sent if one["method"] == "Network.requestWillBeSent"]
        urls = [url for url in urls if url.startswith(("http", "ws"))]
        assert urls and all(url.startswith(hub.url) for url in urls), urls
    finally:
        browser.quit()
