"""Pages of `bitjoule report` and `bitjoule explorer`, and Chromium to open them in."""

import pytest

from tests.browser import PATIENCE_MS, chromium


@pytest.fixture(scope="module")
def path(run_edge, tmp_path_factory):
    from bitjoule import cli

    path = tmp_path_factory.mktemp("page") / "report.html"
    assert cli.main(["report", str(run_edge()), "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def explorer(run_edge, tmp_path_factory):
    from bitjoule import cli

    path = tmp_path_factory.mktemp("page") / "explorer.html"
    assert cli.main(["explorer", str(run_edge()), "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser, path):
    """Return a function that opens the page and gives it, with what it asked for and what it said."""
    contexts = []

    def open_page(width=1280, scheme="light", scripts=True, path=path, address=""):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts, offline=True,
            permissions=["clipboard-read", "clipboard-write"],
        )  # fmt: skip
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page, requests, said = context.new_page(), [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri() + address)
        return page, requests, said

    yield open_page
    for context in contexts:
        context.close()
