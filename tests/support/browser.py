# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A real browser for tests: what it shows, complains of, and asks the network for."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

_T = TypeVar("_T")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)
_LOCAL = ("127.0.0.1", "localhost", "", None)
_REQUESTS = ("Network.requestWillBeSent", "Network.webSocketCreated")
TIMEOUT_S = 240.0
"""Longer than anything takes on a busy machine."""


class Browser:
    """A headless Chromium.

    Args:
        driver: Of selenium.
        downloads: Where files come to lie.
    """

    def __init__(self, driver: Any, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads

    def open(self, url: str) -> None:
        self.driver.get(url)

    def resize(self, width_px: int, height_px: int) -> None:
        """Give the page a size, also one narrower than a window may be."""
        metrics = {"width": width_px, "height": height_px, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def picture(self) -> np.ndarray:
        """Return what is seen, red, green, blue."""
        png = np.frombuffer(self.driver.get_screenshot_as_png(), np.uint8)
        return cv2.imdecode(png, cv2.IMREAD_COLOR)[..., ::-1]

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript and return what it returns."""
        return self.driver.execute_script(script, *arguments)

    def click(self, text: str) -> None:
        """Click what has this text, once it is there."""
        path = f"//*[normalize-space(text())='{text}']"
        element = self.wait_for(lambda: self._shown(path), f"{text!r} to click on")
        self.run("arguments[0].click()", element)

    def press(self, key: str) -> None:
        """Press a key, by the name that pages know it by."""
        for kind in ("keyDown", "keyUp"):
            self.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": kind, "key": key})

    def text(self) -> str:
        """Return all text that is seen."""
        return str(self.run("return document.body.innerText"))

    def wait_for(self, condition: Callable[[], _T], what: str) -> _T:
        """Wait for a condition and return what it is."""
        end_s = time.monotonic() + TIMEOUT_S
        while not (found := self._tried(condition)):
            assert time.monotonic() < end_s, f"waited in vain for {what}:\n{self.text()}"
            time.sleep(0.1)
        return found

    def _tried(self, condition: Callable[[], _T]) -> _T | None:
        """Return what a condition is, nothing where the browser is too busy to say."""
        from selenium.common.exceptions import TimeoutException

        try:
            return condition()
        except TimeoutException:
            return None

    def errors(self) -> list[str]:
        """Return what the console complains of."""
        entries = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def foreign_requests(self) -> list[str]:
        """Return addresses outside of this machine that the page has asked for."""
        found = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            url = message["params"].get("request", message["params"]).get("url", "")
            is_request = message["method"] in _REQUESTS
            parts = urlsplit(url)
            if is_request and parts.scheme in ("http", "https", "ws", "wss"):
                found += [url] if parts.hostname not in _LOCAL else []
        return found

    def _shown(self, path: str) -> Any:
        elements = self.driver.find_elements("xpath", path)
        return next((element for element in elements if element.is_displayed()), None)


@contextmanager
def browser(downloads: Path, width_px: int = 1000, height_px: int = 700) -> Iterator[Browser]:
    """Start a browser, or skip the test where there is none."""
    selenium = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs Chromium and its driver: apt-get install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = program
    for argument in (*_ARGUMENTS, f"--window-size={width_px},{height_px}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    preferences = {
        "download.default_directory": str(downloads),
        # A page that offers a second file has to ask else, and nobody is there to answer.
        "profile.default_content_setting_values.automatic_downloads": 1,
    }
    options.add_experimental_option("prefs", preferences)
    opened = selenium.Chrome(options=options, service=selenium.ChromeService(driver))
    # It draws without a GPU: on a busy machine a single answer may take long.
    opened.set_script_timeout(TIMEOUT_S)
    opened.set_page_load_timeout(TIMEOUT_S)
    try:
        yield Browser(opened, downloads)
    finally:
        opened.quit()
