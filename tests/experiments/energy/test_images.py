"""Experiments with models of images: what a workload may be, and what outputs call a request's unit."""

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.experiments.energy.runner import run
from bitjoule.reports.energy.summary import summary_markdown

TEXT = """\
name: x
accounting: ACCOUNTING
models:
  - name: toy
    kind: convolutional
    image: {height: 8, width: 8}
    layers: [{kind: conv, channels: 4, kernel: 3}, {kind: classifier, outputs: 5}]
  - {name: patches, kind: vision_transformer, image: {height: 8, width: 8}, patch: 4, layers: 1, hidden: 8, heads: 2,
     ffn: 8}
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
workload: WORKLOAD
baseline: {scheme: fp16}
"""
SYSTEM = "platforms: [ternary-edge]\n"


def experiment(workload="{prompt_tokens: 1}", accounting="system", more=""):
    text = TEXT.replace("WORKLOAD", workload).replace("ACCOUNTING", accounting)
    return text + (SYSTEM if accounting == "system" else "") + more


EXPECTED = "expected prompt_tokens: 1 and new_tokens: 0; batch is the number of images"


@pytest.mark.parametrize(("workload", "wrong"), [
    ("{}", "workload.prompt_tokens: prompt_tokens of toy, a model of images, is 512"),
    ("{prompt_tokens: [1, 2]}", "workload.prompt_tokens: prompt_tokens of toy, a model of images, is 1, 2"),
    ("{prompt_tokens: 1, new_tokens: 4}", "workload.new_tokens: new_tokens of toy, a model of images, is 4"),
])  # fmt: skip
@pytest.mark.parametrize("accounting", ["system", "mac"])
def test_a_request_that_images_have_not_is_refused(resolved, workload, wrong, accounting):
    with pytest.raises(InputError) as error:
        resolved(experiment(workload, accounting))
    assert f"{wrong}; {EXPECTED}" in str(error.value)


def test_a_plot_of_the_scaling_laws_of_text_is_refused(resolved):
    with pytest.raises(InputError) as error:
        resolved(experiment(accounting="arithmetic", more="plots: [{kind: loss_vs_energy}]\n"))
    wrong = "plots[0]: a plot of kind 'loss_vs_energy' with toy, a model of images; expected models of text"
    assert wrong in str(error.value)


@pytest.mark.parametrize(("old", "new", "wrong"), [
    ("kind: convolutional", "kind: convolutionl", "models[0].kind: 'convolutionl' is unknown (did you mean"),
    ("channels: 4, kernel: 3", "channels: 4, kernels: 3",
     "models[0].layers[0].kernels: unknown key (did you mean 'kernel'?)"),
    ("kind: conv,", "kind: konv,", "models[0].layers[0].kind: 'konv' is unknown (did you mean 'conv'?)"),
    ("kernel: 3", "kernel: 11, padding: 0",
     "models[0].layers[0].kernel: a window of 11 does not fit a map of 3 x 8 x 8; expected a smaller kernel"),
    ("heads: 2", "heads: 3", "models[1].heads: hidden (8) is not a multiple of heads (3)"),
])  # fmt: skip
def test_a_wrong_model_is_refused_where_it_is_wrong(resolved, old, new, wrong):
    with pytest.raises(InputError) as error:
        resolved(experiment().replace(old, new))
    assert wrong in str(error.value)


def test_the_summary_speaks_of_images(resolved):
    result = run(resolved(experiment("{prompt_tokens: 1, batch: [1, 4]}")))
    text = summary_markdown(result)
    for words in ("per image fp16", "## Energy of an image", "J per image", "images/s", "## Image\n", "1 image (one of",
                  "Run with images: 2 values from 1 to 4;", "first and last layers"):  # fmt: skip
        assert words in text, words
    assert "token" not in text
    rows = result.summary
    per_image = rows["energy_j"] / rows["batch"]
    assert rows["energy_per_token_j"].to_numpy() == pytest.approx(per_image.to_numpy())
    assert (rows["phase"] == "prefill").all()


def test_an_inlined_experiment_is_the_same(resolved):
    read = resolved(experiment())
    again = resolved(experiment())
    assert read.experiment.model_dump(mode="json")["models"][0]["layers"][0]["kernel"] == 3
    assert {name: shape.parameters for name, shape in read.models.items()} == {
        name: shape.parameters for name, shape in again.models.items()
    }


def test_models_of_text_and_of_images_run_together(resolved):
    text = experiment().replace("models:\n", "models:\n  - bitnet-125m\n")
    assert "J per prompt token" not in summary_markdown(run(resolved(text)))
    assert list(resolved(text).models) == ["bitnet-125m", "toy", "patches"]
