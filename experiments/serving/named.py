"""What the options of serving name: draft models, platforms that decode, and files of lengths."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.inputs.documents import Document, KeyPath
from bitjoule.energy_models.serving.length_options import OwnLengths, read_lengths
from bitjoule.energy_models.serving.options import Options
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.experiments.names.entries import NamedPlatform, NamedShape
from bitjoule.experiments.names.lookup import Entries, Lookup
from bitjoule.experiments.names.models import find_model, text_models
from bitjoule.experiments.names.platforms import MachinesByPlatform, read_machine
from bitjoule.experiments.serving.schema import Serving, ServingExperiment, Way

LENGTHS = ("prompt_lengths", "new_lengths")
LENGTHS_FILES: Entries[OwnLengths] = Entries("lengths", dict, read_lengths, "a CSV of lengths", suffixes=(".csv",))


class Named(NamedTuple):
    """What the options of serving name.

    Parameters
    ----------
    drafts
        Draft models by name.
    decoders
        Platforms that decode, by name; for each scheme the name and the platform of its machine.
    places
        Where each of these platforms is named.
    inlined
        Keys of the experiment with what files hold in place of their names.
    """

    drafts: Mapping[str, ModelShape]
    decoders: MachinesByPlatform
    places: Mapping[str, KeyPath]
    inlined: Mapping[str, Any]


def read_named(
    lookup: Lookup, experiment: ServingExperiment, models: Mapping[str, ModelShape], platforms: MachinesByPlatform,
    schemes: Sequence[str],
) -> Named:  # fmt: skip
    """Look up what the options of serving name.

    Parameters
    ----------
    lookup, experiment
        The experiment.
    models, platforms, schemes
        Its models and platforms, and the names of its schemes.
    """
    ways = list(experiment.serving.options())
    values: dict[str, dict[str, str]] = {}
    drafts, own_drafts, values["draft"] = _drafts(lookup, experiment.drafts, ways, models)
    decoders, own_decoders, values["decode_platform"] = _decoders(lookup, experiment.decoders, ways, platforms, schemes)
    places = {name: place(lookup.document, "decode_platform", text) for text, name in values["decode_platform"].items()}
    lengths = _read_lengths(lookup, ways)
    serving = experiment.serving
    own_ways = [way.model_copy(update=_inlined(way, values, lengths)) for way in serving.ways]
    serving = serving.model_copy(update={**_inlined(serving, values, lengths), "ways": own_ways})
    return Named(drafts, decoders, places, {"drafts": own_drafts, "decoders": own_decoders, "serving": serving})


def place(document: Document, key: str, value: object) -> KeyPath:
    """Return where an option has a value: in a way, or beside them.

    Parameters
    ----------
    document, key, value
        The experiment, the option and its value, as written.
    """
    serving = document.data["serving"]
    for i, way in enumerate(serving.get("ways") or []):
        if way.get(key) == value or (isinstance(way.get(key), list) and value in way[key]):
            return ("serving", "ways", i, key)
    return ("serving", key)


def _texts(ways: Sequence[Options], key: str) -> list[str]:
    """Return what an option names, each once."""
    return list(dict.fromkeys(text for way in ways if (text := getattr(way, key)) is not None))


def _drafts(
    lookup: Lookup, own: Sequence[NamedShape], ways: Sequence[Options], models: Mapping[str, ModelShape]
) -> tuple[dict[str, ModelShape], list[NamedShape], dict[str, str]]:
    """Return draft models, those that the inlined experiment defines, and the name of each text."""
    drafts: dict[str, ModelShape] = {}
    names: dict[str, str] = {}
    inlined, defined = list(own), {entry.name: entry.shape() for entry in own}
    for text in _texts(ways, "draft"):
        if text in defined or text in models:
            names[text], drafts[text] = text, defined.get(text) or models[text]
            continue
        at = place(lookup.document, "draft", text)
        found = find_model(lookup, text, at)
        for name, shape in text_models(lookup, {found.name: found.value}, at).items() if found else ():
            names[text] = name
            if models.get(name) != shape:  # else it is the model of the same file
                lookup.once("model", name, {*models, *defined, *drafts}, at)
                own_shape = NamedShape.model_validate({"name": name, **shape.with_defaults()})
                inlined += [own_shape] if found and found.from_file else []
            drafts[name] = shape
    return drafts, inlined, names


def _decoders(
    lookup: Lookup, own: Sequence[NamedPlatform], ways: Sequence[Options], platforms: MachinesByPlatform,
    schemes: Sequence[str],
) -> tuple[dict[str, Mapping[str, tuple[str, Platform]]], list[NamedPlatform], dict[str, str]]:  # fmt: skip
    """Return platforms that decode, those that the inlined experiment defines, and the name of each text."""
    decoders: dict[str, Mapping[str, tuple[str, Platform]]] = {}
    names: dict[str, str] = {}
    defined: dict[str, Platform] = {}
    inlined: list[NamedPlatform] = []
    for i, entry in enumerate(own):
        lookup.once("platform", entry.name, {*platforms, *defined}, ("decoders", i))
        member = read_machine(lookup, entry, ("decoders", i))
        if member is not None and isinstance(member.inlined, NamedPlatform):
            defined[member.name] = member.platform
            inlined.append(member.inlined)
    for text in _texts(ways, "decode_platform"):
        if text in platforms:
            names[text], decoders[text] = text, platforms[text]
            continue
        if text in defined:
            names[text], decoders[text] = text, dict.fromkeys(schemes, (text, defined[text]))
            continue
        at = place(lookup.document, "decode_platform", text)
        member = read_machine(lookup, text, at)
        if member is None:
            continue
        names[text], machine = member.name, (member.name, member.platform)
        if any(other != machine for other in platforms.get(member.name, {"": None}).values()):  # else of the same file
            lookup.once("platform", member.name, {*platforms, *defined, *decoders}, at)
            inlined += [member.inlined] if isinstance(member.inlined, NamedPlatform) else []
        decoders[member.name] = dict.fromkeys(schemes, machine)
    return decoders, inlined, names


def _read_lengths(lookup: Lookup, ways: Sequence[Options]) -> dict[str, OwnLengths]:
    """Return the lengths that files have, by name as written."""
    found: dict[str, OwnLengths] = {}
    for way in ways:
        for key in LENGTHS:
            choice = getattr(way, key)
            text = choice.file if isinstance(choice, OwnLengths) else None
            if text is not None and text not in found:
                result = lookup.file(LENGTHS_FILES, text, (*place(lookup.document, key, {"file": text}), "file"))
                if result is not None:
                    found[text] = result.value.model_copy(update={"name": result.name})
    return found


def _inlined(
    keys: Way | Serving, names: Mapping[str, Mapping[str, str]], lengths: Mapping[str, OwnLengths]
) -> dict[str, Any]:
    """Return the keys that name files, with lengths and names in their place; also in lists."""

    def inlined(key: str, value: Any) -> Any:
        if isinstance(value, OwnLengths):
            return lengths.get(value.file or "", value)
        return names[key].get(value, value) if key in names else value

    given = {key: getattr(keys, key) for key in (*LENGTHS, *names) if key in keys.model_fields_set}
    return {
        key: [inlined(key, each) for each in value] if isinstance(value, list) else inlined(key, value)
        for key, value in given.items()
    }
