"""``bitjoule train``: folders, losses, ladders, and what is refused."""

import csv
import json
import re
from types import SimpleNamespace

import pytest

from bitjoule.energy_models.inputs.yaml_core import write_yaml
from bitjoule.sim.locks import acquire, release
from bitjoule.sim.training.shipped import shipped_trainings
from tests.sim.training.files import document_of, write_texts

torch = pytest.importorskip("torch")

LADDER = """
name: steps
tokens_per_parameter: 0.02
seeds: [1]
common:
  corpus: {train: [train.txt], held_out: [held_out.txt]}
  training: {context: 64, batch_tokens: 64}
  evaluation_tokens: 256
rungs:
  small: {model: {layers: 1, hidden: 16, ffn: 32, heads: 2}}
formats:
  fp16: {weights: fp16}
  ternary: {weights: ternary, activations: int4}
"""


@pytest.fixture
def config(tmp_path):
    """A tiny training file beside its texts."""
    write_texts(tmp_path)
    path = tmp_path / "tiny.yaml"
    path.write_text(write_yaml(document_of(training__tokens=768), 110), encoding="utf-8")
    return path


def test_a_training_writes_a_folder_that_is_complete_and_can_be_replaced(bitjoule, tmp_path, config):
    status, out, err = bitjoule("train", config, "--out", tmp_path / "out")
    assert status == 0
    assert "tiny: held out " in out
    assert "nats/byte" in err  # the progress
    assert "tokens/s" in err
    folder = tmp_path / "out" / "tiny"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["outputs"]) == {"README.md", "config.json", "loss.csv", "model.safetensors", "training.yaml"}
    assert manifest["seeds"] == {"training": 1}
    assert manifest["versions"]["torch"] == torch.__version__
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tiny"]
    losses = (folder / "loss.csv").read_bytes()
    assert bitjoule("train", config, "--out", tmp_path / "out", "--set", "checkpoint_seconds=9")[0] == 0
    assert (folder / "loss.csv").read_bytes() == losses
    # what it has written down is a training file of the same training
    assert bitjoule("train", folder / "training.yaml", "--out", tmp_path / "again")[0] == 2  # its texts are elsewhere
    for name in ("train.txt", "held_out.txt"):
        (folder / name).write_bytes((tmp_path / name).read_bytes())
    assert bitjoule("train", folder / "training.yaml", "--out", tmp_path / "again")[0] == 0
    assert (tmp_path / "again" / "tiny" / "loss.csv").read_bytes() == losses


def test_the_threads_that_are_asked_for_are_those_of_torch(bitjoule, config, tmp_path, monkeypatch):
    threads = []
    monkeypatch.setattr("torch.set_num_threads", threads.append)
    monkeypatch.setattr("bitjoule.commands.models.train.train_one", lambda *_: SimpleNamespace(trained=True))
    for options in ((), ("--threads", 3)):
        assert bitjoule("train", config, "--out", tmp_path / "out", *options)[0] == 0
    assert threads == [1, 3]


def test_a_training_that_diverges_fails_with_the_step_and_the_losses_before_it(bitjoule, config, tmp_path, monkeypatch):
    from bitjoule.sim.training import trainer

    def diverges(*_):
        raise trainer.DivergedError(7, ["3,12,0.5", "6,24,0.25"])

    monkeypatch.setattr(trainer, "train", diverges)
    out = tmp_path / "out"
    status, printed, err = bitjoule("train", config, "--out", out)
    losses = out / "tiny.diverged.csv"
    says = f"bitjoule: tiny: the loss is not finite in step 7; losses before it in {losses}"
    assert (status, printed, err.strip()) == (1, "", says)
    assert losses.read_text() == f"{','.join(trainer.COLUMNS)}\n3,12,0.5\n6,24,0.25\n"
    assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == {losses.name}


def test_a_ladder_trains_what_has_no_row(bitjoule, tmp_path):
    write_texts(tmp_path)
    ladder, table = tmp_path / "steps.yaml", tmp_path / "ladder.csv"
    ladder.write_text(LADDER, encoding="utf-8")
    arguments = ("train", ladder, "--out", tmp_path / "out", "--table", table)
    status, said, err = bitjoule(*arguments, "--only", "format=ternary")
    assert status == 0
    assert "0 of 1 trainings have a row" in err
    status, out, err = bitjoule(*arguments)
    assert status == 0
    assert "1 of 2 trainings have a row" in err
    assert "steps-small-fp16-1: held out" in out
    assert "ternary" not in out
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [row["format"] for row in rows] == ["ternary", "fp16"]
    for row in rows:
        assert 2 < float(row["held_out_nats_per_byte"]) < 6
        assert len(row["corpus_sha256"]) == len(row["config_sha256"]) == 64
        assert int(row["tokens"]) == int(row["steps"]) * 64 >= 0.02 * int(row["parameters"])
        assert row["device"] == ("cuda" if torch.cuda.is_available() else "cpu")  # what `auto` came to
    ternary = [float(rows[0][f"held_out_{name}nats_per_byte"]) for name in ("", "float_inputs_")]
    assert abs(ternary[0] - ternary[1]) > 1e-3  # what INT4 inputs cost
    losses = re.match(r"steps-small-ternary-1: held out (.*) nats per byte, (.*) with float inputs of linears; ", said)
    assert [float(each) for each in losses.groups()] == pytest.approx(ternary, abs=6e-5)
    assert f"; {int(rows[0]['parameters']):,} parameters, {int(rows[0]['tokens_per_s']):,} tokens/s; in " in said
    assert bitjoule(*arguments)[1] == ""


def test_what_another_process_trains_is_left_to_it(bitjoule, tmp_path):
    write_texts(tmp_path)
    ladder, table, out = tmp_path / "steps.yaml", tmp_path / "ladder.csv", tmp_path / "out"
    ladder.write_text(LADDER, encoding="utf-8")
    out.mkdir()
    lock = acquire(out / ".steps-small-fp16-1.training.lock")
    status, said, _ = bitjoule("train", ladder, "--out", out, "--table", table)
    release(lock)
    assert status == 0
    assert "fp16" not in said
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [row["format"] for row in rows] == ["ternary"]


def test_a_training_that_diverges_leaves_its_losses_and_a_row_of_the_ladder(bitjoule, tmp_path, config, monkeypatch):
    from bitjoule.sim.training import trainer

    begin = trainer._Run.__init__

    def without_finite_embedding(run, *arguments):
        begin(run, *arguments)
        if arguments[0].name != "fine":
            run.model.embedding.data.fill_(float("inf"))

    monkeypatch.setattr(trainer._Run, "__init__", without_finite_embedding)
    out, ladder, table = tmp_path / "out", tmp_path / "steps.yaml", tmp_path / "ladder.csv"

    def told(name):
        return f"bitjoule: {name}: the loss is not finite in step 1; losses before it in {out}/{name}.diverged.csv\n"

    status, printed, err = bitjoule("train", config, "--out", out)
    assert (status, printed) == (1, "")
    assert told("tiny") in err
    fine = tmp_path / "fine.yaml"
    fine.write_text(write_yaml(document_of(name="fine", training__tokens=256), 110), encoding="utf-8")
    assert bitjoule("train", config, fine, "--out", tmp_path / "both")[0] == 1  # though the last one did not diverge
    assert (tmp_path / "both" / "fine" / "config.json").is_file()
    ladder.write_text(LADDER, encoding="utf-8")
    arguments = ("train", ladder, "--out", out, "--table", table, "--only", "format=fp16")
    status, printed, err = bitjoule(*arguments)
    assert (status, printed) == (0, "")
    assert told("steps-small-fp16-1") in err
    names = ["steps-small-fp16-1.diverged.csv", "tiny.diverged.csv"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert {(out / name).read_text().splitlines()[0] for name in names} == {",".join(trainer.COLUMNS)}
    (row,) = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    assert (row["format"], row["diverged_at_step"], row["held_out_nats_per_byte"]) == ("fp16", "1", "")
    assert row["device"] == ("cuda" if torch.cuda.is_available() else "cpu")
    assert len(row["corpus_sha256"]) == 64
    assert "1 of 1 trainings have a row" in bitjoule(*arguments)[2]  # it is not tried again


def test_what_is_refused(bitjoule, tmp_path, config):
    out = tmp_path / "out"
    for arguments, message in (
        ((config, "--set", "weights=trits"), "--set weights=trits:1: weights: 'trits' is unknown"),
        ((config, "--only", "rung=a"), "command line:1: --only: is set with a file that is no ladder"),
        ((config, "--table", "t.csv"), "command line:1: --table: is set with a file that is no ladder; expected a"),
        ((config, "--only", "rung=a", "--table", "t.csv"), "command line:1: --only: is set with a file that is no"),
        (("quality_ladder", config, "--only", "format=fp8"), "command line:1: --only: is set with a file that is no"),
        (("quality_ladder", "quality_ladder"), "CONFIG.yaml: 2 ladders; expected one ladder at a time"),
        (("small_ternery",), "small_ternery:1: file: unknown training 'small_ternery' (did you mean 'small_ternary'?)"),
        (("missing.yaml",), "missing.yaml:1: file: does not exist"),
        (("quality_ladder", "--only", "format=fp8"), "--only: format 'fp8' is unknown; expected one of fp16, int8"),
    ):
        status, _, err = bitjoule("train", *arguments, "--out", out)
        assert status == 2
        assert message in err
        assert not out.exists()
    out.mkdir()
    (out / "tiny").mkdir()
    (out / "tiny" / "mine.txt").write_text("mine")
    status, printed, err = bitjoule("train", config, "--out", out)
    assert (status, printed) == (2, "")
    told = "holds 'mine.txt', which no run wrote; expected an earlier result, or another --out"
    assert err == f"{out}/tiny:1: file: {told}\n"  # before it is trained: no progress
    assert (out / "tiny" / "mine.txt").read_text() == "mine"


def test_two_trainings_of_one_name_are_refused(bitjoule, tmp_path, config):
    """The second would replace the first."""
    status, printed, err = bitjoule("train", config, config, "--out", tmp_path / "out")
    assert (status, printed) == (2, "")
    told = "duplicate training name 'tiny'; expected a unique name, since it names the output directory"
    assert err == f"{config}:1: file: {told}\n"
    assert not (tmp_path / "out").exists()


def test_a_device_that_is_not_there_is_refused(bitjoule, tmp_path, config, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    status, printed, err = bitjoule("train", config, "--out", tmp_path / "out", "--device", "cuda")
    assert (status, printed) == (2, "")
    assert err == "command line:1: --device: torch finds no CUDA device; expected cpu or auto\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("cells", ["a,b", ",".join("x" * 23)])
def test_a_table_with_a_row_of_other_cells_is_refused_before_a_training(bitjoule, tmp_path, cells):
    from bitjoule.sim.training.ladder import COLUMNS

    assert len(COLUMNS) == 22
    table = tmp_path / "table.csv"
    table.write_text(f"{','.join(COLUMNS)}\n{cells}\n")
    status, printed, err = bitjoule("train", "quality_ladder", "--out", tmp_path / "out", "--table", table)
    assert (status, printed) == (2, "")
    assert err == f"{table}:2: row: does not fit the header; expected 22 cells\n"


def test_shipped_trainings_are_listed_and_shown(bitjoule):
    listed = bitjoule("list", "trainings")[1]
    for name, path in shipped_trainings().items():
        assert name in listed
        assert bitjoule("show", "training", name)[1] == path.read_text(encoding="utf-8")
    assert "72 trainings" in listed


def test_without_torch_it_says_how_to_install_it(bitjoule, config, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    status, out, err = bitjoule("train", config)
    assert (status, out) == (1, "")
    assert err == "bitjoule train needs torch: pip install 'bitjoule[train]'\n"
