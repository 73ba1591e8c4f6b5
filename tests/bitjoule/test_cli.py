"""The command line, as a user meets it."""

import contextlib
import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bitjoule.commands import doctor
from bitjoule.commands.entries import catalogue
from bitjoule.experiments.files import shipped_experiments
from bitjoule.sim.llm.trained import shipped_models
from tests.sampling import drawing_seed, drawn, one_of_each

ROOT = Path(__file__).parents[2]
HANGS_S = 600  # no machine is so busy
TABLES = ("results.csv", "summary.csv", "summary.md", "experiment.yaml")


def test_a_run_writes_the_documented_files_and_says_where(tmp_path, bitjoule):
    status, out, err = bitjoule("run", "bitnet_table1", "--out", tmp_path)
    assert (status, err) == (0, "")
    assert "34 of 36 published values agree at the printed precision" in out
    assert f"Tables in {tmp_path}/bitnet_table1/; pictures: components.png, published.png" in out
    pictures = {
        f"{kind}{theme}.{kind_of}"
        for kind in ("components", "published")
        for theme in ("", "_dark")
        for kind_of in ("png", "svg")
    }
    names = {path.name for path in (tmp_path / "bitnet_table1").iterdir()}
    assert names == {*TABLES, "published.csv", "manifest.json", *pictures}


def test_no_plots_draws_none(tmp_path, bitjoule):
    assert bitjoule("run", "bitnet_table1", "--out", tmp_path, "--no-plots")[0] == 0
    assert not list(tmp_path.rglob("*.png")) + list(tmp_path.rglob("*.svg"))


@pytest.mark.parametrize("kind", catalogue.KINDS)
def test_every_kind_can_be_listed(bitjoule, kind):
    status, out, _ = bitjoule("list", kind)
    assert status == 0
    assert len(out.splitlines()) > 3


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("model", "bitnet-b1.58-2b-4t", "arXiv.2504.12285"),
        ("scheme", "bitnet", "binary"),
        ("technology", "7nm", "0.007"),
        ("memory", "hbm2", "249.6"),
        ("experiment", "bitnet_table1", "models:"),
    ],
)
def test_an_entry_is_shown(bitjoule, kind, name, says):
    status, out, _ = bitjoule("show", kind, name)
    assert status == 0
    assert says in out


@pytest.mark.parametrize("kind", catalogue.KINDS.values())
def test_an_unknown_entry_is_wrong_input(bitjoule, kind):
    status, out, err = bitjoule("show", kind, "nothing")
    assert (status, out) == (2, "")
    assert "nothing" in err


def test_the_schema_is_json_schema(bitjoule):
    status, out, _ = bitjoule("schema")
    assert status == 0
    assert json.loads(out)["$schema"].startswith("https://json-schema.org/")


def test_the_doctor_finds_what_is_needed_and_misses_what_is_not_there(bitjoule, monkeypatch):
    status, out, _ = bitjoule("doctor")
    assert status == 0
    assert "everything that energy experiments need is installed" in out
    monkeypatch.setattr("bitjoule.commands.doctor._version", lambda name: "" if name == "numpy" else "1")
    status, out, _ = bitjoule("doctor")
    assert status == 1
    assert "  energy experiments: numpy; pip install numpy\n" in out


def test_what_only_some_commands_need_may_be_missing(bitjoule, monkeypatch):
    """The status is that of energy experiments; what is missing says how to install it in its own line."""
    monkeypatch.setattr(doctor, "_version", lambda name: "" if name == "pyosys" else "1")
    status, out, _ = bitjoule("doctor")
    assert status == 0
    first, *_ = out.splitlines()
    assert first == "everything that energy experiments need is installed"
    missing = [line for line in out.partition("\nnot installed:\n")[2].splitlines() if "pip" in line]
    assert missing == ["  bitjoule calibrate: pyosys; pip install 'bitjoule[gates]'"]
    monkeypatch.setattr(doctor, "_version", lambda name: "" if name in ("pyosys", "numpy", "pandas") else "1")
    status, out, _ = bitjoule("doctor")
    assert (status, out.splitlines()[0]) == (1, "energy experiments cannot run without numpy, pandas")


def test_the_doctor_lists_every_package_in_the_order_of_the_requirements(monkeypatch):
    requirements = [
        "numpy>=2.0", "bitjoule[rtl]; extra == 'gates'", "filelock<5,>=4.3",
        "amaranth[builtin-yosys]<0.6; extra == 'rtl'", "pyosys>=0.70; extra == 'gates'",
    ]  # fmt: skip
    monkeypatch.setattr("importlib.metadata.requires", lambda _: requirements)
    energy, made = "energy experiments", {}
    for finding in doctor.examine():
        made[finding.item] = (finding.needed_for, finding.remedy, finding.required)
    packages = {
        "python": (energy, "Python >= 3.11", True),
        "numpy": (energy, "pip install numpy", True),
        "filelock": (energy, "pip install filelock", True),
        "amaranth": ("bitjoule rtl", "pip install 'bitjoule[rtl]'", False),
        "pyosys": ("bitjoule calibrate", "pip install 'bitjoule[gates]'", False),
    }
    assert list(made.items())[: len(packages)] == list(packages.items())
    assert list(made)[len(packages) :] == ["c++", "make", "perl", "iverilog", "git"]
    assert not any(required for *_, required in list(made.values())[len(packages) :])


def test_the_doctor_knows_what_each_extra_is_for_and_an_extra_brings_every_optional_package(monkeypatch):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(doctor.NEEDED_FOR) == set(extras)
    needed = [f'{one}; extra == "{extra}"' for extra, listed in extras.items() for one in listed]
    monkeypatch.setattr("importlib.metadata.requires", lambda _: needed)
    found = {finding.item: finding for finding in doctor.examine()}
    assert found["tokenizers"].needed_for == "text of Hugging Face models"
    assert found["tokenizers"].remedy == "pip install 'bitjoule[models]'"


def test_the_doctor_looks_at_the_compiler_that_is_taken(monkeypatch, tmp_path):
    own = tmp_path / "mine"
    own.write_text("#!/bin/sh\necho mine 1.2\n")
    own.chmod(0o755)
    monkeypatch.setenv("CXX", str(own))
    assert {finding.item: finding.version for finding in doctor.examine()}["c++"] == "mine 1.2"
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "/nowhere")
    assert {finding.item: finding.version for finding in doctor.examine()}["c++"] == ""


def test_the_doctor_asks_each_program_for_its_version_in_the_way_that_it_knows(monkeypatch, tmp_path):
    """iverilog has no --version, and perl's is a sentence."""
    asked = {"make": "--version", "git": "--version", "iverilog": "-V", "perl": "-v"}
    for name, option in asked.items():
        says = "This is perl 5, version 36 (v5.36.0) built" if name == "perl" else f"{name} 4.2"
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n[ \"$*\" = '{option}' ] && printf '\\n%s\\nmore\\n' '{says}'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    versions = {finding.item: finding.version for finding in doctor.examine()}
    expected = {"make": "make 4.2", "git": "git 4.2", "iverilog": "iverilog 4.2", "perl": "v5.36.0"}
    assert {name: versions[name] for name in asked} == expected


def test_the_trained_models_that_ship_are_listed_and_shown(bitjoule):
    listed = bitjoule("list", "checkpoints")[1]
    for name, folder in shipped_models().items():
        row = re.search(rf"^{name} .*$", listed, re.MULTILINE)
        assert row
        loss = json.loads((folder / "config.json").read_text())["bitjoule"]["held_out_nats_per_byte"]
        assert f"{loss}"[:5] in row[0]
        assert bitjoule("show", "checkpoint", name)[1] == (folder / "README.md").read_text()


def test_usage_errors_are_wrong_input(bitjoule):
    for arguments in ([], ["fly"], ["run"], ["list", "planets"], ["run", "bitnet_table1", "--jobs", "0"]):
        assert bitjoule(*arguments)[0] == 2


def test_a_fault_of_the_tool_is_status_1(tmp_path, bitjoule, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("bitjoule.experiments.energy.runner.run", broken)
    status, _, err = bitjoule("run", "bitnet_table1", "--out", tmp_path)
    assert status == 1
    assert err.endswith("\nbitjoule: internal error; please report it with the traceback above\n")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_is_said_beside_what_is_printed(tmp_path, bitjoule, monkeypatch):
    """A script that reads the output must not take the message for a result."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("bitjoule.experiments.energy.runner.run", interrupted)
    said = bitjoule("run", "bitnet_table1", "--out", tmp_path)
    assert said == (130, "", "bitjoule: interrupted; existing results are unchanged\n")


@pytest.mark.parametrize("kind", ["model", "scheme", "accelerator"])
def test_a_name_that_no_file_can_have_is_wrong_input(bitjoule, kind):
    name = "long" * 100 if kind == "accelerator" else f"{'long' * 100}.gguf"
    status, _, err = bitjoule("show", kind, name)
    assert status == 2
    assert err == f"{name}:1: file: cannot be used: File name too long; expected a path that can be used\n"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "output:1: file: cannot be used: No space left on device"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "t.csv"), "t.csv:1: file: cannot be used: Disk quota exceeded"),
    ],
)
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, bitjoule, monkeypatch, error, told):
    def full(*_, **__):
        raise error

    monkeypatch.setattr("bitjoule.experiments.output.manifest.write_manifest", full)
    status, _, err = bitjoule("run", "bitnet_table1", "--out", tmp_path)
    assert status == 2
    assert err == f"{told}; expected space for what is written; existing results are unchanged\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error", [OSError("no number"), OSError(errno.EACCES, "no name"), OSError(errno.ENOENT, "lost", "x")]
)
def test_what_the_system_says_of_no_path_of_the_user_is_a_fault_of_the_tool(tmp_path, bitjoule, monkeypatch, error):
    def broken(*_):
        raise error

    monkeypatch.setattr("bitjoule.experiments.energy.runner.run", broken)
    status, _, err = bitjoule("run", "bitnet_table1", "--out", tmp_path)
    assert status == 1
    assert err.endswith("\nbitjoule: internal error; please report it with the traceback above\n")


def start(*arguments: object) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "bitjoule", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_help_and_import_load_no_heavy_library():
    heavy = "{'numpy', 'pandas', 'matplotlib', 'pydantic', 'yaml', 'amaranth', 'cocotb'}"
    code = f"import sys, bitjoule, bitjoule.cli; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_run_without_plots_imports_nothing_that_draws(tmp_path):
    command = ["run", "b158_mac_energy", "--no-plots", "--out", str(tmp_path)]
    code = f"import sys; from bitjoule import cli; sys.exit(cli.main({command}) or 3 * ('matplotlib' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert (tmp_path / "b158_mac_energy" / "summary.md").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, pytest.param(1000, id="all", marks=pytest.mark.dear)])
def test_two_runs_and_any_number_of_jobs_give_the_same_bytes(tmp_path, count):
    every = list(shipped_experiments("energy"))
    names = [every[place] for place in sorted(drawn(every, count, "runs that are compared"))]
    for folder, jobs in (("a", 1), ("b", 3)):
        assert start("run", *names, "--out", tmp_path / folder, "--jobs", jobs).wait() == 0
    for name in names:
        first, second = (sorted((tmp_path / folder / name).iterdir()) for folder in ("a", "b"))
        assert [path.name for path in first] == [path.name for path in second]
        for mine, other in zip(first, second, strict=True):
            if mine.name != "manifest.json":  # holds the command
                assert mine.read_bytes() == other.read_bytes(), mine


@pytest.mark.slow
def test_one_experiment_is_drawn_by_several_processes_with_the_same_bytes(tmp_path):
    for folder, jobs in (("a", 1), ("b", 2)):
        assert start("run", "bitnet_table1", "--out", tmp_path / folder, "--jobs", jobs).wait() == 0
    pictures = sorted(
        path.name for path in (tmp_path / "a" / "bitnet_table1").iterdir() if path.suffix in {".png", ".svg"}
    )
    assert len(pictures) == 8  # two plots, two themes, two formats
    for name in pictures:
        mine, other = (tmp_path / folder / "bitnet_table1" / name for folder in ("a", "b"))
        assert mine.read_bytes() == other.read_bytes(), name


# Runs a command line that sends itself a signal when it is about to open, make, rename or remove the n-th of the files
# and folders whose path matches; counts them if it is never sent.
END_AT = """
import os, re, signal, sys
from bitjoule import cli
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
how, at, pattern, *arguments = sys.argv[1:]
changes = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}
count = 0
def watch(event, values):
    global count
    if event in changes and re.search(pattern, str(values[0])):
        count += 1
        if count == int(at):
            os.kill(os.getpid(), int(how))
sys.addaudithook(watch)
status = cli.main(arguments)
print("changes:", count)
sys.exit(status)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [signal.SIGKILL, *one_of_each([[signal.SIGTERM, signal.SIGINT]], "signals while a result is written")]
)
def test_a_run_ended_at_any_moment_leaves_the_earlier_result_whole(tmp_path, how):
    out = tmp_path / "results"
    target = out / "bitnet_table1"
    # Signals come while a result is written; a kill also while it takes the earlier one's place.
    where = re.escape(str(out)) if how == signal.SIGKILL else r"\.bitjoule-new-[^/]*/"

    def run(moment):
        command = [sys.executable, "-c", END_AT, str(int(how)), str(moment), where, "run", "bitnet_table1"]
        return subprocess.run([*command, "--out", str(out), "--no-plots"], capture_output=True, text=True, check=False)

    first = run(0)
    changes = int(re.search(r"^changes: (\d+)$", first.stdout, re.MULTILINE)[1])
    assert changes > len(TABLES)
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    moment = random.Random(drawing_seed(f"moment of signal {int(how)}")).randrange(1, changes)
    assert run(moment).returncode != 0
    if how != signal.SIGKILL:
        assert [path.name for path in out.iterdir()] == [target.name]
    if target.exists():
        assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    assert run(0).returncode == 0
    assert [path.name for path in out.iterdir()] == [target.name]


@pytest.mark.slow
@pytest.mark.parametrize("how", one_of_each([[signal.SIGKILL, signal.SIGTERM]], "signals to runs with workers"))
def test_the_workers_of_an_ended_run_end_too_and_leave_whole_results(tmp_path, how):
    names = ["bitnet_table1", "bitnet_energy_vs_size", "b158_energy_vs_size"]
    command = [sys.executable, "-m", "bitjoule", "run", *names, "--out", str(tmp_path), "--jobs", "2"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)  # the first experiment is written, the others are at work
        process.send_signal(how)
        try:
            process.communicate(timeout=HANGS_S)  # returns when every process that holds the pipe is gone
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    for name in names:
        manifest = tmp_path / name / "manifest.json"
        if manifest.parent.exists():
            outputs = json.loads(manifest.read_text())["outputs"]
            assert {path.name for path in manifest.parent.iterdir()} == {*outputs, "manifest.json"}
    assert subprocess.run([*command, "--no-plots"], stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == set(names)


def test_a_reader_that_closes_the_pipe_is_no_fault(tmp_path):
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(
        [sys.executable, "-m", "bitjoule", "list", "models"], stdout=write, stderr=subprocess.PIPE, cwd=tmp_path
    )
    os.close(write)
    _, err = process.communicate()
    assert b"Traceback" not in err


def test_a_run_whose_reader_leaves_still_writes_everything(tmp_path):
    names = ["b158_mac_energy", "b158_2b4t_energy", "bitnet_table1"]
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "bitjoule", "run", *names, "--out", str(tmp_path), "--no-plots", "--jobs", "1"]
    assert subprocess.run(command, stdout=write, stderr=subprocess.DEVNULL, check=False).returncode == 0
    os.close(write)
    assert {path.name for path in tmp_path.iterdir()} == set(names)
