"""The tables of a quality experiment, of made-up rows: means, intervals, energies, and the message for each fault."""

import csv
import math

import numpy as np
import pytest
import yaml
from scipy import stats

import bitjoule
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.papers.scaling import BILLION, laws, loss
from bitjoule.experiments.quality.zeros import entropy_bits
from bitjoule.sim.quality.tables import HISTORY_COLUMNS, POST_TRAINING_COLUMNS
from bitjoule.sim.training.ladder import COLUMNS, read_ladder

LADDER = {
    "name": "made_up", "tokens_per_parameter": 1, "seeds": [1, 2], "common": {"training": {"context": 64}},
    "rungs": {
        name: {"model": {"layers": 1, "hidden": hidden, "ffn": hidden, "heads": 2}, "training": {"batch_tokens": 64}}
        for name, hidden in (("small", 16), ("middle", 32), ("large", 64))
    },
    "formats": {"fp16": {"weights": "fp16"}, "ternary": {"weights": "ternary"}},
}  # fmt: skip
LOSSES = {
    ("small", "fp16"): (3.0, 3.1), ("small", "ternary"): (3.2, 3.1), ("middle", "fp16"): (2.5, 2.6),
    ("middle", "ternary"): (2.7, 2.7), ("large", "fp16"): (2.1, 2.0), ("large", "ternary"): (2.3, 2.2),
}  # fmt: skip
ENERGY = {
    "schemes": ["fp16", "bitnet-b1.58"], "technologies": ["7nm"],
    "platforms": [{"name": "edge", "by_scheme": {"fp16": "fp16-edge", "bitnet-b1.58": "ternary-edge-100mw"}}],
    "workload": {"prompt_tokens": 16, "new_tokens": 16},
}  # fmt: skip
SCHEMES = {"fp16": "fp16", "ternary": "bitnet-b1.58", "sign-mean": "bitnet-b1.58"}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "ladder.yaml").write_text(yaml.safe_dump(LADDER))
    rungs = read_ladder(read_document(tmp_path / "ladder.yaml"))
    with (tmp_path / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        for rung in rungs:
            value = LOSSES[rung.rung, rung.format_name][rung.seed - 1]
            parameters = rung.training.config.model.parameters
            row = {"rung": rung.rung, "format": rung.format_name, "seed": rung.seed, "parameters": parameters}
            more = {"learning_rate": 0.004, "held_out_nats_per_byte": value, "config_sha256": rung.config_sha256}
            writer.writerow(row | more)
    with (tmp_path / "after.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, POST_TRAINING_COLUMNS, restval="")
        writer.writeheader()
        row = {"rung": "large", "method": "sign-mean", "seed": 1, "parameters": 9, "loss_nats_per_byte": 4.0}
        writer.writerow(row)
    return tmp_path


def experiment(folder, energy=True, **changes):
    quality = {"ladder": "ladder.yaml", "table": "table.csv", "baseline": "fp16", "post_training": "after.csv"}
    data = {"name": "made_up", "quality": quality | ({"schemes": SCHEMES} if energy else {})}
    data |= ENERGY if energy else {}
    data["quality"] |= changes.pop("quality", {})
    (folder / "experiment.yaml").write_text(yaml.safe_dump(data | changes))
    return folder / "experiment.yaml"


def test_means_and_gaps_have_the_scatter_of_all_trainings_of_a_size(files):
    table = bitjoule.run(experiment(files, energy=False)).summary
    row = table[(table["rung"] == "small") & (table["format"] == "ternary")].iloc[0]
    assert row["loss_nats_per_byte"] == pytest.approx(3.15)
    assert (row["loss_least_nats_per_byte"], row["loss_greatest_nats_per_byte"]) == (3.1, 3.2)
    deviation = math.sqrt(4 * 0.05**2 / 2)  # four trainings, each 0.05 off the mean of its format; two means
    reach = stats.t.ppf(0.975, 2) * deviation
    assert row["loss_high_nats_per_byte"] == pytest.approx(3.15 + reach / math.sqrt(2), abs=1e-5)
    assert row["gap_nats_per_byte"] == pytest.approx(0.1)
    assert row["gap_low_nats_per_byte"] == pytest.approx(0.1 - reach, abs=1e-5)
    assert row["gap_high_nats_per_byte"] == pytest.approx(0.1 + reach, abs=1e-5)
    baseline = table[(table["rung"] == "small") & (table["format"] == "fp16")].iloc[0]
    assert math.isnan(baseline["gap_nats_per_byte"])


def test_energies_are_those_of_an_energy_experiment_on_the_same_shapes(files):
    result = bitjoule.run(experiment(files))
    for name, shape in LADDER["rungs"].items():
        more = {"ffn_gated": True, "activation": "relu2", "vocabulary": 256, "tied_embedding": True, "sub_norm": True}
        model = {"name": name, **shape["model"], **more}
        found = bitjoule.run({"name": "e", "accounting": "system", "models": [model], **ENERGY}).summary
        decode = found[found["phase"] == "decode"].set_index("scheme")
        for label in ("fp16", "ternary"):
            row = result.summary[(result.summary["rung"] == name) & (result.summary["format"] == label)].iloc[0]
            of_energy = decode.loc[SCHEMES[label]]
            assert row["energy_per_token_j"] == pytest.approx(of_energy["energy_per_token_j"], rel=1e-12)
            assert row["energy_per_token_low_j"] * 16 == pytest.approx(of_energy["energy_low_j"], rel=1e-12)
            assert row["energy_per_token_high_j"] * 16 == pytest.approx(of_energy["energy_high_j"], rel=1e-12)


def test_ratios_at_equal_loss_follow_from_the_energies(files):
    result = bitjoule.run(experiment(files))
    assert set(result.equal_loss["format"]) == {"ternary"}  # signs after training reach no loss of the others
    row = result.equal_loss.iloc[0]
    assert row["loss_nats_per_byte"] == pytest.approx(2.25 + (3.05 - 2.25) / 4)  # of three within what both reach
    energies = []
    for label in ("fp16", "ternary"):
        rows = result.summary[result.summary["format"] == label].sort_values("loss_nats_per_byte")
        logs = np.log(rows["energy_per_token_j"])
        energies.append(np.exp(np.interp(row["loss_nats_per_byte"], rows["loss_nats_per_byte"], logs)))
    assert row["ratio_to_baseline"] == pytest.approx(energies[0] / energies[1], rel=1e-5)
    assert row["ratio_low"] < row["ratio_to_baseline"] < row["ratio_high"]


def test_formats_of_a_kind_are_numbered_from_zero(files):
    """What stands for them in pictures: the first of each kind is 0, whatever was numbered before it."""
    formats = bitjoule.run(experiment(files)).formats
    assert formats.index.tolist() == ["fp16", "ternary", "sign-mean"]
    assert formats["variant"].tolist() == [0, 0, 1]  # signs after training are priced as trits here


def test_laws_stand_beside_those_of_the_paper(files):
    table = bitjoule.run(experiment(files, energy=False, quality={"laws": True})).laws
    assert list(table["form"]) == ["power"] * 2 + ["floor"] * 2 + ["paper_exponent"] * 2 + ["paper"] * 2
    for weights, law in laws().items():
        row = table[(table["form"] == "paper") & (table["format"] == weights)].iloc[0]
        at = row["floor_nats"] + row["a_nats"] * (6.7e9 / 1e6) ** -row["exponent"]
        assert at == pytest.approx(loss(law, 6.7e9), rel=1e-4)
    row = table[(table["form"] == "paper") & (table["format"] == "binary")].iloc[0]
    same = loss(laws()["binary"], row["size_factor"] * row["factor_at_parameters"])
    assert same == pytest.approx(loss(laws()["fp16"], 6.7 * BILLION), rel=1e-5)
    assert table.loc[table["form"] == "paper_exponent", "exponent"].tolist() == [0.3994, 0.3994]


def test_published_perplexities_become_losses_over_energies(files):
    changes = {"models": ["bitnet-b1.58-700m"], "quality": {"published": "validation perplexity"}}
    table = bitjoule.run(experiment(files, **changes)).published.set_index("scheme")
    assert table["printed"].to_dict() == {"fp16": "12.33", "bitnet-b1.58": "12.87"}
    assert table["loss_nats_per_token"].to_dict() == pytest.approx(
        {"fp16": math.log(12.33), "bitnet-b1.58": math.log(12.87)}, rel=1e-5
    )
    assert table["energy_per_token_j"]["bitnet-b1.58"] < table["energy_per_token_j"]["fp16"]


@pytest.mark.parametrize(("share", "bits"), [(1 / 3, math.log2(3)), (0.0, 1.0), (1.0, 0.0), (0.5, 1.5)])
def test_the_entropy_of_a_trit(share, bits):
    assert entropy_bits(share) == pytest.approx(bits)


def test_what_was_written_runs_again_to_the_same_tables(files):
    first = bitjoule.run(experiment(files, quality={"laws": True}))
    from bitjoule.execution import read
    from bitjoule.kinds.kind import Silent
    from bitjoule.writing import run

    again = run(read(run(read(str(experiment(files, quality={"laws": True}))), Silent()).experiment), Silent()).result
    for name in ("summary", "laws", "equal_loss"):
        assert getattr(again, name).equals(getattr(first, name))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quality": {"baseline": "fp8"}}, "quality.baseline: 'fp8' is no format of the ladder; "
         "expected one of fp16, ternary"),
        ({"quality": {"table": "none.csv"}}, "quality.table: 'none.csv' not found; expected a CSV file"),
        ({"quality": {"table": "nothing"}}, "quality.table: unknown table 'nothing'"),
        ({"quality": {"ladder": "small_ternary"}},
         "quality.ladder: small_ternary.yaml is a training; expected a ladder, with rungs"),
        ({"quality": {"schemes": {"fp16": "int8"}}}, "quality.schemes.fp16: 'int8' is not a scheme of this experiment; "
         "expected one of fp16, bitnet-b1.58"),
        ({"quality": {"schemes": {"int9": "fp16"}}}, "quality.schemes.int9: 'int9' is no format or method of the "
         "tables; expected one of fp16, sign-mean, ternary"),
        ({"platforms": None}, "schemes: schemes without platforms; expected platforms, or no such key"),
        ({"quality": {"published": "validation perplexity"}}, "models: models and quality.published belong together; "
         "expected both, or neither"),
        ({"quality": {"over": "tokens"}}, "quality.history: `over: tokens` and history belong together; expected both, "
         "or neither"),
        ({"workload": {"prompt_tokens": [1, 2], "new_tokens": 3}}, "workload.prompt_tokens: is no single workload that "
         "generates; expected one positive number"),
        ({"workload": {"prompt_tokens": 3}}, "workload.new_tokens: is no single workload that generates; expected one "
         "positive number"),
    ],
)  # fmt: skip
def test_each_fault_is_reported(files, changes, message):
    path = experiment(files, **changes)
    data = {key: value for key, value in yaml.safe_load(path.read_text()).items() if value is not None}
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(InputError) as error:
        bitjoule.run(path)
    assert message in str(error.value)


def test_a_row_that_the_ladder_does_not_have_is_reported(files):
    text = (files / "after.csv").read_text().replace("large", "huge")
    (files / "after.csv").write_text(text)
    with pytest.raises(InputError) as error:
        bitjoule.run(experiment(files))
    assert "quality.post_training: a row of huge sign-mean 1, which the ladder does not have" in str(error.value)


def test_a_table_of_other_settings_is_reported(files):
    text = (files / "ladder.yaml").read_text().replace("batch_tokens: 64", "batch_tokens: 128")
    (files / "ladder.yaml").write_text(text)
    with pytest.raises(InputError, match="was trained with other settings"):
        bitjoule.run(experiment(files))


def test_a_baseline_without_a_loss_is_reported(files):
    lines = (files / "table.csv").read_text().splitlines()
    (files / "table.csv").write_text("\n".join(line for line in lines if ",fp16," not in line) + "\n")
    with pytest.raises(InputError) as error:
        bitjoule.run(experiment(files, energy=False))
    assert str(error.value).endswith(": quality.baseline: 'fp16' has no loss in the table; expected ternary")


def test_trainings_that_are_missing_are_a_warning(files):
    lines = (files / "table.csv").read_text().splitlines()
    (files / "table.csv").write_text("\n".join(lines[:-2]) + "\n")
    result = bitjoule.run(experiment(files, energy=False))
    assert result.warnings == ("2 of the ladder's 12 trainings have no row in the table yet",)


def test_schemes_of_formats_without_a_row_are_reported(files):
    lines = (files / "table.csv").read_text().splitlines()
    (files / "table.csv").write_text("\n".join(line for line in lines if ",ternary," not in line) + "\n")
    with pytest.raises(
        InputError, match=r"quality\.schemes: no format or method with a scheme has a row in the tables"
    ):
        bitjoule.run(experiment(files, quality={"schemes": {"ternary": "bitnet-b1.58"}}))


@pytest.mark.parametrize("loss", ["0", "1e-300", "1e300"])
def test_losses_that_no_law_can_be_fitted_to_are_reported(files, loss):
    text = (files / "table.csv").read_text()
    (files / "table.csv").write_text(text.replace(",3.2,", f",{loss},"))
    with pytest.raises(InputError, match=f"table.csv:11: held_out_nats_per_byte: got '{loss}'; expected a loss of 1e-"):
        bitjoule.run(experiment(files, energy=False, quality={"laws": True}))


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([], r"quality.history: has no rows; expected at least one step"),
        (["2"], r"h.csv:2: zero_share: got '2'; expected a share of 0 to 1"),
    ],
)
def test_a_history_without_steps_or_of_more_zeros_than_weights_is_reported(tmp_path, rows, fault):
    lines = [",".join(HISTORY_COLUMNS), *(f"r,cosine,1,1,64,0.1,2.5,{zeros},x,x,x" for zeros in rows)]
    (tmp_path / "h.csv").write_text("\n".join(lines) + "\n")
    names = dict.fromkeys(("ladder", "table"), "zeros_over_training")
    quality = {**names, "baseline": "cosine", "over": "tokens", "history": str(tmp_path / "h.csv")}
    with pytest.raises(InputError, match=fault):
        bitjoule.run({"name": "zeros", "quality": quality, "technologies": ["7nm-measured"]})
