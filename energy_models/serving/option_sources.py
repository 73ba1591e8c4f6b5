"""What the options of serving mean, and where they come from."""

from functools import cache

from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate


class Described(Strict):
    """An option: what it means, the citation key of its source, and the place in it."""

    meaning: str
    source: str
    where: str


class _File(Strict):
    """The file data/serving.yaml."""

    options: dict[str, Described]


@cache
def described() -> dict[str, Described]:
    """Return every option, by name.

    Raises
    ------
    InputError
        data/serving.yaml is wrong.
    """
    return validate(_File, read_document(DATA / "serving.yaml")).options
