"""The schema of the file of a serving experiment: the key ``serving``, the ways in which requests are served."""

import re
from collections.abc import Callable, Container, Iterator
from functools import partial
from itertools import product
from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, ValidationError, create_model, model_validator

from bitjoule.energy_models.inputs.documents import KeyPath
from bitjoule.energy_models.inputs.validation import Strict, wrong_value
from bitjoule.energy_models.inputs.wording import counted
from bitjoule.energy_models.serving.options import Options
from bitjoule.experiments.energy.electricity import Costs
from bitjoule.experiments.energy.schema import MAX_MAPPED, RequestSizes, swept
from bitjoule.experiments.names.entries import NamedPlatform, NamedShape
from bitjoule.experiments.names.on_machines import OnMachines, SchemeBaseline

MAX_CASES = 20_000
PLAIN = "plain"


def _one_or_list(value: Any) -> str:
    return "list" if isinstance(value, list) else "one"


def _swept(annotation: Any) -> Any:
    """Return the annotation of an option that may be a list, a sweep."""
    one, several = Annotated[annotation, Tag("one")], Annotated[list[annotation], Field(min_length=1), Tag("list")]
    return Annotated[one | several, Discriminator(_one_or_list)]


_KEYS: dict[str, Any] = {
    name: (_swept(field.rebuild_annotation()), None) for name, field in Options.model_fields.items() if name != "name"
}
_Swept = create_model("_Swept", __base__=Strict, **_KEYS)


class Way(_Swept):
    """A named way; each of its options may be a list."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.+-]*$", max_length=60)


class Serving(_Swept):
    """Options of all ways, and the ways; each option may be a list, which is a sweep."""

    ways: list[Way] = Field(
        default_factory=list, max_length=100, description="named ways; default: one, of the options"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        names = [options.name for options in self.options()]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise wrong_value(f"duplicate way {repeated!r}", "each name once", "ways")
        return self

    def options(self) -> Iterator[Options]:
        """Yield every way: named ones with all combinations of what is swept, in order."""
        return (options for options, _ in self.placed())

    def placed(self) -> Iterator[tuple[Options, Callable[[str], KeyPath]]]:
        """Yield every way, and a function that returns where a key of it is given."""
        shared = _given(self)
        shared.pop("ways", None)
        for i, way in enumerate(self.ways or [None]):
            own = {} if way is None else _given(way)
            name = own.pop("name", PLAIN)
            keys = shared | own
            at = partial(_place, () if way is None else ("ways", i), own)
            several = {key: value for key, value in keys.items() if isinstance(value, list)}
            for values in product(*several.values()):
                chosen = dict(zip(several, values, strict=True))
                suffix = " ".join(f"{key}={value}" for key, value in chosen.items())
                full = " ".join(part for part in (name if way is not None or not suffix else "", suffix) if part)
                try:
                    yield Options.model_validate({"name": _allowed(full), **keys, **chosen}), at
                except ValidationError as error:
                    context = error.errors()[0].get("ctx", {})
                    if "wrong" not in context:
                        raise
                    key, *rest = context["at"]
                    raise wrong_value(context["wrong"], context["expected"], *at(key), *rest) from None


def _place(way: KeyPath, own: Container[str], key: str) -> KeyPath:
    """Return where a key is given: in the way, if it is one of its own, or beside the ways."""
    return (*way, key) if key in own else (key,)


def _given(keys: Strict) -> dict[str, Any]:
    return {name: getattr(keys, name) for name in type(keys).model_fields if name in keys.model_fields_set}


def _allowed(name: str) -> str:
    """Return a name of the characters that names have; values of sweeps may have others."""
    return re.sub(r"[^A-Za-z0-9 _.+-]", "-", name.replace("=", " ").replace("True", "true").replace("False", "false"))[
        :100
    ]


class ServingExperiment(OnMachines):
    """An experiment that serves requests in several ways."""

    model_config: ClassVar[ConfigDict] = ConfigDict(title="bitjoule serving experiment")

    workload: RequestSizes = Field(default_factory=lambda: RequestSizes(new_tokens=128))
    baseline: SchemeBaseline | None = None
    drafts: list[NamedShape] = Field(
        default_factory=list,
        description="draft models that the experiment defines, e.g. a multi-token head as one layer",
    )
    decoders: list[NamedPlatform] = Field(
        default_factory=list, description="platforms of decode_platform that the experiment defines"
    )
    costs: Costs | None = Field(
        default=None, description="write costs.csv: electricity, money and carbon dioxide; {} for the defaults"
    )
    per_layer: bool = Field(default=False, description="of experiments without serving only")
    serving: Serving

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.per_layer:
            wrong = "per_layer of requests whose steps are shared among chips, drafts and other requests"
            raise wrong_value(wrong, "accounting: system without the key serving", "per_layer")
        if 0 in swept(self.workload.new_tokens):
            raise wrong_value("requests without new tokens", "new_tokens >= 1", "workload", "new_tokens")
        context = max(swept(self.workload.prompt_tokens)) + max(swept(self.workload.new_tokens))
        if context > MAX_MAPPED:
            raise wrong_value(f"a context of {context} tokens", f"at most {MAX_MAPPED}", "workload")
        for options, at in self.serving.placed():
            if 0 < options.reserved_tokens < context:
                wrong = f"{options.reserved_tokens} reserved tokens for a sequence of {context}"
                raise wrong_value(wrong, f"at least {context}", "serving", *at("reserved_tokens"))
            for batch in swept(self.workload.batch):
                if batch % options.micro_batches:
                    wrong = f"a batch of {batch} in {options.micro_batches} equal parts"
                    raise wrong_value(wrong, f"a divisor of {batch}", "serving", *at("micro_batches"))
        if self.cases > MAX_CASES:
            raise wrong_value(f"the sweep has {self.cases} cases", f"at most {MAX_CASES}", "serving")
        return self

    @property
    def size(self) -> str:
        """Number of cases, as text."""
        return counted(self.cases, "case")

    @property
    def cases(self) -> int:
        """Number of cases of the sweep."""
        count = len(self.models) * len(self.schemes) * len(self.technologies) * len(self.platforms)
        for value in (self.workload.prompt_tokens, self.workload.new_tokens, self.workload.batch):
            count *= len(swept(value))
        return count * sum(1 for _ in self.serving.options())

    @model_validator(mode="after")
    def _costs_bounded(self) -> Self:
        rows = self.cases * len(self.costs.combinations) if self.costs else 0
        if rows > MAX_CASES:
            raise wrong_value(f"the sweep has {rows} costs", f"at most {MAX_CASES}", "costs")
        return self
