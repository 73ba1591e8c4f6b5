"""What ``bitjoule train`` prints and leaves, of what stands in place of a training.

No two of its numbers are equal; the expected texts are written out by hand.
"""

import csv
import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from bitjoule.commands.models import train as command
from bitjoule.energy_models.inputs.yaml_core import write_yaml
from bitjoule.sim.locks import acquire, release
from tests.bitjoule.commands.models.test_train import LADDER
from tests.sim.training.files import document_of, write_texts

trainer = pytest.importorskip("bitjoule.sim.training.trainer")
results = pytest.importorskip("bitjoule.sim.training.results")

# 2 layers of 4 * 32 * 32 of attention, 3 * 32 * 64 of FFN and 2 * 32 + 32 + 64 of norms; norm and tied embedding
PARAMETERS = 2 * (4 * 32 * 32 + 3 * 32 * 64 + 160) + 32 + 256 * 32
LINE = (
    f"held out 1.2346 nats per byte, 1.1250 with float inputs of linears; {PARAMETERS:,} parameters, 98,766 tokens/s; "
    "in out"
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_texts(tmp_path)
    return tmp_path


@pytest.fixture
def trained(monkeypatch):
    """Answer in place of torch: what is in `diverges` does; return what was asked."""
    asked = SimpleNamespace(names=[], diverges=set(), threads=[], devices=[], after=lambda _: None)
    evaluation = trainer.Evaluation(1.23456, 0.5, 1.125, (1.0, 1.5))

    def train(config, _text, working, _device, show):
        assert working.is_dir()
        asked.names.append(config.name)
        show(f"half of {config.name}")
        show("too soon after that")
        asked.after(config.name)
        if config.name in asked.diverges:
            raise trainer.DivergedError(7, ["1,2.5,9", "4,3.5,8"])
        return SimpleNamespace(evaluation=evaluation, tokens_per_s=98765.6, model=None, processor_s=12.34)

    def pick(name):
        asked.devices.append(name)
        return SimpleNamespace(type="cpu")

    monkeypatch.setattr(trainer, "train", train)
    monkeypatch.setattr(trainer, "pick_device", pick)
    monkeypatch.setattr(command, "prepare", asked.threads.append)
    monkeypatch.setattr(results, "zero_share", lambda _: 0.375)
    monkeypatch.setattr("bitjoule.sim.training.folder.save_folder", lambda folder, *_: (folder / "made").touch())
    return asked


def written(folder, **changes):
    path = folder / f"{changes.get('name', 'tiny')}.yaml"
    path.write_text(write_yaml(document_of(**changes), 110), encoding="utf-8")
    return path


def test_each_training_has_a_line_with_its_losses_size_and_speed(bitjoule, here, trained):
    files = [written(here, name=name) for name in ("second", "first")]
    options = ("--out", "out", "--threads", 3, "--device", "cpu")
    status, out, err = bitjoule("train", *files, *options)
    assert (status, trained.names, trained.threads, trained.devices) == (0, ["second", "first"], [3], ["cpu", "cpu"])
    assert out.splitlines() == [f"{name}: {LINE}/{name}/" for name in ("second", "first")]
    assert err.splitlines() == [f"{name}: half of {name}" for name in ("second", "first")]
    for name in ("second", "first"):
        folder = here / "out" / name
        assert {path.name for path in folder.iterdir()} == {"made", "training.yaml", "manifest.json"}
        assert yaml.safe_load((folder / "training.yaml").read_text())["name"] == name


def test_one_that_diverges_leaves_its_losses_and_the_others_are_trained(bitjoule, here, trained):
    files = [written(here, name=name) for name in ("wild", "tame")]
    trained.diverges.add("wild")
    status, out, err = bitjoule("train", *files, "--out", "out")
    assert (status, out) == (1, f"tame: {LINE}/tame/\n")
    left = Path("out/wild.diverged.csv")
    said = f"bitjoule: wild: the loss is not finite in step 7; losses before it in {left}"
    assert err.splitlines() == ["wild: half of wild", said, "tame: half of tame"]
    header, *lines = left.read_text().splitlines()
    assert (header, lines) == (",".join(trainer.COLUMNS), ["1,2.5,9", "4,3.5,8"])
    assert {path.name for path in Path("out").iterdir() if path.is_dir() and path.name[0] != "."} == {"tame"}


def rows_of(path):
    return list(csv.DictReader(Path(path).read_text(encoding="utf-8").splitlines()))


def test_the_row_of_a_ladder_has_the_losses_that_were_printed_or_the_step_of_the_end(bitjoule, here, trained):
    """The standard error of 1 and 1.5, of which 1.23456 is taken for the mean."""
    (here / "steps.yaml").write_text(LADDER, encoding="utf-8")
    trained.diverges.add("steps-small-fp16-1")
    status, out, err = bitjoule("train", "steps.yaml", "--out", "out")
    assert status == 0
    assert [line.split(":")[0] for line in out.splitlines()] == ["steps-small-ternary-1"]
    assert err.splitlines()[0] == "0 of 2 trainings have a row in out/ladder.csv"
    ended, whole = rows_of("out/ladder.csv")
    assert (ended["format"], ended["diverged_at_step"], ended["held_out_nats_per_byte"]) == ("fp16", "7", "")
    spread = ((1 - 1.23456) ** 2 + (1.5 - 1.23456) ** 2) / 1
    assert {key: whole[key] for key in list(whole) if "nats" in key or "zero" in key or "_s" in key[-2:]} == {
        "held_out_nats_per_byte": "1.234560", "held_out_float_inputs_nats_per_byte": "1.125000",
        "train_nats_per_byte": "0.500000", "zero_share": "0.375000", "processor_s": "12.3", "tokens_per_s": "98766",
    }  # fmt: skip
    assert float(whole["held_out_standard_error"]) == pytest.approx((spread / 2) ** 0.5, abs=1e-6)
    assert whole["diverged_at_step"] == ""


def test_a_folder_of_other_files_is_told_before_a_ladder_is_trained_unless_that_step_has_its_row(
    bitjoule, here, trained
):
    (here / "steps.yaml").write_text(LADDER, encoding="utf-8")
    Path("out/steps-small-ternary-1").mkdir(parents=True)
    Path("out/steps-small-ternary-1/mine.txt").write_text("mine")
    status, out, err = bitjoule("train", "steps.yaml", "--out", "out")
    assert (status, out, trained.names) == (2, "", [])
    assert err.startswith("out/steps-small-ternary-1:1: file: holds 'mine.txt', which no run wrote; expected")
    assert bitjoule("train", "steps.yaml", "--out", "other", "--only", "format=ternary")[0] == 0
    words = ("train", "steps.yaml", "--out", "out", "--table", "other/ladder.csv")
    assert bitjoule(*words)[0] == 0
    assert trained.names == ["steps-small-ternary-1", "steps-small-fp16-1"]


def test_what_another_process_trains_or_has_trained_meanwhile_is_left_to_it(bitjoule, here, trained):
    """The first is trained here; of the others one gets its row elsewhere meanwhile, one is at work there."""
    (here / "steps.yaml").write_text(LADDER + "  binary: {weights: binary}\n", encoding="utf-8")
    status, _, _ = bitjoule("train", "steps.yaml", "--out", "out", "--only", "format=ternary")
    assert (status, trained.names) == (0, ["steps-small-ternary-1"])
    other = rows_of("out/ladder.csv")
    header, line = Path("out/ladder.csv").read_text().splitlines()
    Path("out/ladder.csv").write_text(f"{header}\n")
    trained.names.clear()
    trained.after = lambda _: Path("out/ladder.csv").write_text(f"{header}\n{line}\n")
    lock = acquire(Path("out/.steps-small-binary-1.training.lock"))
    status, _, err = bitjoule("train", "steps.yaml", "--out", "out")
    release(lock)
    assert (status, trained.names) == (0, ["steps-small-fp16-1"])
    assert "0 of 3 trainings have a row" in err
    assert [row["format"] for row in rows_of("out/ladder.csv")] == ["ternary", "fp16"]
    assert rows_of("out/ladder.csv")[0] == other[0]


def test_a_name_that_another_process_trains_is_refused(bitjoule, here, trained):
    path = written(here)
    Path("out").mkdir()
    lock = acquire(Path("out/.tiny.training.lock"))
    status, out, err = bitjoule("train", path, "--out", "out")
    release(lock)
    assert (status, out, trained.names) == (2, "", [])
    assert err == "out/tiny:1: file: is being trained by another process; expected one training of a name at a time\n"


def test_progress_is_written_over_on_a_terminal_and_seldom_told_elsewhere(capsys, monkeypatch):
    """Ten seconds lie between two lines; on a terminal each is at least as wide as the one that it hides."""
    show, now = command.Show("mine"), [100.0]
    monkeypatch.setattr(show, "_clock", lambda: now[0])
    for seconds in (0.0, 9.5, 0.5, 3.0):  # 100, 109.5, 110 and 113
        now[0] += seconds
        show(f"at {now[0]:g}")
    show.end()
    assert capsys.readouterr().err == "mine: at 100\nmine: at 110\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    show("at last")
    show.end()
    assert capsys.readouterr().err == f"\r{'mine: at last':<100}\n"


@pytest.mark.usefixtures("trained")
def test_a_folder_says_what_was_trained_with_everything_that_was_left_out(bitjoule, here):
    path = written(here, name="mine", seed=5)
    assert bitjoule("train", path, "--out", "out")[0] == 0
    manifest = json.loads(Path("out/mine/manifest.json").read_text())
    assert manifest["seeds"] == {"training": 5}
    assert manifest["versions"]["torch"] == command.torch_version()
    assert manifest["command"] == ["bitjoule", "train", str(path), "--out", "out"]
    assert manifest["input"][path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
    whole, own = (yaml.safe_load(each.read_text()) for each in (Path("out/mine/training.yaml"), path))
    assert own.keys() < whole.keys()
    assert {key: whole[key] for key in own if not isinstance(own[key], dict)} == {
        key: value for key, value in own.items() if not isinstance(value, dict)
    }


def test_a_row_has_the_device_that_was_found_and_the_commit(bitjoule, here, trained, monkeypatch):
    monkeypatch.setattr("bitjoule.experiments.output.manifest.git_commit", lambda: "0123abc")
    (here / "steps.yaml").write_text(LADDER, encoding="utf-8")
    trained.diverges.add("steps-small-fp16-1")
    assert bitjoule("train", "steps.yaml", "--out", "out")[0] == 0
    assert trained.devices == ["auto", "auto"]
    assert [(row["device"], row["commit"]) for row in rows_of("out/ladder.csv")] == [("cpu", "0123abc")] * 2


def test_what_a_training_has_reached_is_kept_until_it_ends_well(bitjoule, here, trained):
    path = written(here)

    def stopped(_):
        Path("out/.tiny.training/checkpoint").touch()
        raise KeyboardInterrupt

    trained.after = stopped
    with suppress(KeyboardInterrupt):
        assert bitjoule("train", path, "--out", "out")[0] != 0
    assert Path("out/.tiny.training/checkpoint").is_file()
    trained.after = lambda _: None
    assert bitjoule("train", path, "--out", "out")[0] == 0
    assert not Path("out/.tiny.training").exists()


def test_a_parent_that_cannot_be_written_is_told(bitjoule, here, trained):
    Path("taken").write_text("a file")
    status, out, err = bitjoule("train", written(here), "--out", "taken/out")
    assert (status, out, trained.names) == (2, "", [])
    assert err == "taken/out:1: file: cannot be written: Not a directory; expected a writable directory\n"


@pytest.mark.parametrize("own", [None, ":16:8"])
def test_sums_are_in_one_order_unless_another_is_chosen(monkeypatch, own):
    """The sizes of buffers for which cuBLAS documents one order: https://docs.nvidia.com/cuda/cublas/."""
    threads = []
    monkeypatch.setattr("torch.set_num_threads", threads.append)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", own or "")
    if own is None:
        monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    command.prepare(3)
    assert (os.environ["CUBLAS_WORKSPACE_CONFIG"], threads) == (own or ":4096:8", [3])
