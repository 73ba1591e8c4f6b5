"""The system's Chromium, in which pages are opened."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = "Chromium is not installed: apt-get install chromium"
PATIENCE_MS = 900_000  # a busy machine is no fault


@contextmanager
def chromium() -> Iterator[Any]:
    """Start it, and end it."""
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, MISSING
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
