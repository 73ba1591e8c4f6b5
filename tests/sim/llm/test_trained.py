"""The trained models that ship: what a user is offered is what can be shown."""

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.sim.llm.trained import find_model, shipped_models


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


def test_the_checkpoints_are_small():
    files = [path for folder in shipped_models().values() for path in folder.rglob("*")]
    assert sum(path.stat().st_size for path in files) <= 60e6
