"""In continuous integration (`CI=true`) nothing is skipped: what a test needs and does not find is a failure."""

import os
from collections.abc import Generator
from typing import Any

import pytest

# Beginnings of reasons that are allowed in CI, each with why it cannot be helped there.
ALLOWED: tuple[str, ...] = ()


def _reason(report: Any) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return str(text).removeprefix("Skipped: ")


def _refuse(report: Any) -> None:
    expected_failure = hasattr(report, "wasxfail")
    if os.environ.get("CI") and report.skipped and not expected_failure:
        reason = _reason(report)
        if not reason.startswith(ALLOWED):
            report.outcome = "failed"
            report.longrepr = f"skipped although CI must have what it needs: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Turn a test that is skipped into one that fails."""
    report = yield
    _refuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """Turn a file that is skipped into one that fails."""
    report = yield
    _refuse(report)
    return report
