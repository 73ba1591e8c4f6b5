"""The trained models that ship: what a user is offered is what can be shown."""

from functools import cache

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.json_documents import read_json
from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.trained import find_model, shipped_models
from bitjoule.sim.post_training.evaluate import mean_loss, windows
from bitjoule.sim.training.corpus import read_corpus

corpus = cache(read_corpus)


@pytest.mark.parametrize("name", ["tiny", "NOTICE.md", "."])
def test_what_is_no_checkpoint_is_refused_with_the_names_of_those_that_are(name):
    with pytest.raises(InputError) as error:
        find_model(name)
    (problem,) = error.value.problems
    assert problem.wrong.startswith(f"unknown checkpoint '{name}'")
    assert problem.expected == "one of tiny-b158, tiny-bitnet, tiny-fp16"


def test_every_checkpoint_is_found_with_the_text_that_describes_it():
    assert set(shipped_models()) == {"tiny-b158", "tiny-bitnet", "tiny-fp16"}
    for name in shipped_models():
        assert (find_model(name) / "README.md").read_text().startswith(f"# {name}")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tiny-b158", "tiny-bitnet", "tiny-fp16"])
def test_the_loss_of_a_checkpoint_computed_from_its_folder_is_the_stated_one(name):
    """In NumPy, as `bitjoule rtl simulate` computes; on the whole text that was held out."""
    told = read_json(find_model(name) / "config.json", name).data["bitjoule"]
    held_out = corpus().held_out
    same = corpus().digest == told["corpus"]["sha256"]
    loss = mean_loss(load_model(find_model(name)).model, windows(held_out, told["context"], None if same else 32))
    assert loss == pytest.approx(told["held_out_nats_per_byte"], abs=2e-3 if same else 0.3)  # of other versions' text


def test_the_checkpoints_are_small():
    files = [path for folder in shipped_models().values() for path in folder.rglob("*")]
    assert sum(path.stat().st_size for path in files) <= 60e6
