"""A skip outside continuous integration is a failure in it."""

import subprocess
import sys

import pytest

SKIPPED = """
import pytest

def test_passes(): pass

@pytest.mark.xfail
def test_expected_to_fail(): assert False

def test_misses_a_tool(): pytest.skip("install it with apt-get")

@pytest.mark.skipif(True, reason="no such library: get it there")
def test_misses_a_library(): pass
"""
WHOLE_FILE = "import pytest\npytest.importorskip('no_such_package')\n"


@pytest.mark.parametrize("ci", [True, False])
def test_in_ci_every_skip_is_a_failure_that_gives_the_reason(tmp_path, monkeypatch, ci):
    (tmp_path / "test_single.py").write_text(SKIPPED)
    (tmp_path / "test_file.py").write_text(WHOLE_FILE)
    monkeypatch.delenv("CI", raising=False)
    if ci:
        monkeypatch.setenv("CI", "true")
    options = tmp_path / "pytest.ini"
    options.write_text("[pytest]\n")  # not those of this repository
    command = [sys.executable, "-m", "pytest", "-p", "tests.skips", "-p", "no:cacheprovider", "-c", str(options)]
    command += [str(tmp_path), "--rootdir", str(tmp_path), "--continue-on-collection-errors"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if ci:
        assert "1 failed, 1 passed, 1 xfailed, 2 errors" in done.stdout
        for reason in (
            "install it with apt-get",
            "no such library: get it there",
            "could not import 'no_such_package'",
        ):
            assert f"skipped although CI must have what it needs: {reason}" in done.stdout
        assert done.returncode == 1
    else:
        assert "1 passed, 3 skipped, 1 xfailed" in done.stdout
        assert done.returncode == 0
