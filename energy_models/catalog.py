"""Built-in entries, as tables and one by one with their sources: for ``bitjoule list`` and ``bitjoule show``."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bitjoule.energy_models.architecture.images.vision_transformer import VisionTransformerShape
from bitjoule.energy_models.architecture.shape import AnyShape, ModelShape, all_presets
from bitjoule.energy_models.catalog_entries import Entry, Listing
from bitjoule.energy_models.catalog_memories import memory_entry, memory_listing
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.formats.storage import storages
from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.documents import KeyPath, folder_hint, read_document
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, choices, suggestion
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.inputs.inheritance import Completed, completed, paths
from bitjoule.energy_models.inputs.sources import references
from bitjoule.energy_models.model_files.hub import hint, hub_name, preset_of
from bitjoule.energy_models.model_files.reading import FILES, GGUF, JSON, read_model, read_scheme, stored_in
from bitjoule.energy_models.model_files.stored import TypeRow, by_type
from bitjoule.energy_models.prices.derived import TECHNOLOGY, validated
from bitjoule.energy_models.prices.measured import UNITS
from bitjoule.energy_models.prices.silicon import silicon_rows
from bitjoule.energy_models.prices.technology import Technology, measured_technology, technologies
from bitjoule.energy_models.serving.links import links
from bitjoule.energy_models.serving.option_sources import described
from bitjoule.energy_models.serving.options import Options
from bitjoule.energy_models.system.hardware.paid_macs import paid_macs
from bitjoule.energy_models.system.hardware.silicon import clocks_mhz, silicon
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.platforms import FOLDER, PLATFORM, Platform, platforms, read_platform

IN_FOLDERS = ("models", "schemes")  # of which a directory holds a file
PRICES = ("energy_pj", "energy_low_pj", "energy_high_pj")
MOST_NAMES = 3
MACS = (
    "MACs of whole arrays, registers and control included, which `accounting: system` pays in arrays that compute "
    "them, by the size of the array;"
)


def listing(kind: str) -> Listing:
    """Return every entry of a kind, one per row.

    Parameters
    ----------
    kind
        One of `KINDS`.
    """
    return _LISTINGS[kind]()


def entry(kind: str, name: str) -> Entry:
    """Return one entry.

    Parameters
    ----------
    kind
        One of `KINDS`.
    name
        As `listing` prints it.

    Raises
    ------
    InputError
        Nothing has that name.
    """
    names = dict.fromkeys(all_presets() if kind == "models" else (str(row[0]) for row in listing(kind).rows))
    if name not in names:
        path = folder_hint(Path(), name) if kind in IN_FOLDERS else ""
        wrong = f"unknown name {brief(name)}{path or suggestion(name, names)}"
        raise InputError([Problem("show", 1, kind, wrong, choices(names))])
    return _ENTRIES[kind](name)


def entry_of_file(kind: str, path: Path) -> Entry:
    """Return the entry of a file of a user's own.

    Parameters
    ----------
    kind
        One of `IN_FILES`.
    path
        The file; of a model also its folder, or its name on the hub.

    Raises
    ------
    InputError
        The file is wrong.
    """
    return _FILE_ENTRIES[kind](path)


def _models() -> Listing:
    headers = (
        "model",
        "parameters",
        "layers",
        "hidden",
        "heads",
        "kv_heads",
        "head_dim",
        "ffn",
        "gated",
        "vocabulary",
        "experts",
    )
    rows = [(name, shape.parameters, *_dimensions(shape)) for name, shape in all_presets().items()]
    return Listing(headers, rows)


def _dimensions(shape: AnyShape) -> tuple[object, ...]:
    """Return what the list says of a model; empty where it has no such dimension."""
    if isinstance(shape, ModelShape):
        sizes = (shape.layers, shape.hidden, shape.heads, shape.kv_heads, shape.head_dim, shape.ffn)
        return (*sizes, "yes" if shape.ffn_gated else "no", shape.vocabulary, shape.experts)
    if isinstance(shape, VisionTransformerShape):
        heads = (shape.heads, shape.heads, shape.hidden // shape.heads)
        return (shape.layers, shape.hidden, *heads, shape.ffn, "no", "", "")
    return ("",) * 9


def _schemes() -> Listing:
    rows = [
        (name, s.weights, s.activations, s.attention, s.rescale or "", s.description) for name, s in schemes().items()
    ]
    return Listing(("scheme", "weights", "activations", "attention", "rescale", "description"), rows)


def _technologies() -> Listing:
    rows = [(t.name, f"{t.node_nm:g}", ", ".join(dict.fromkeys(f for _, f in t.rows))) for t in technologies().values()]
    return Listing(("technology", "node_nm", "priced formats"), rows)


def _storages() -> Listing:
    rows = [
        (name, s.holds, f"{s.bits:.5g}", ", ".join(f"{times:g} {text}" for text, times in s.unpack.items()), s.source,
         f"{s.where}; {s.note}" if s.where and s.note else s.where or s.note)
        for name, s in storages().items()
    ]  # fmt: skip
    return Listing(("storage", "holds", "bits a value", "unpacking a word", "source", "place and note"), rows)


def _links() -> Listing:
    rows = [
        (name, *_ends(price_of(link.energy_pj_per_bit)), link.bandwidth_gb_per_s, link.latency_us, link.note)
        for name, link in links().items()
    ]
    return Listing(("link", "pJ/bit", "low", "high", "GB/s a direction", "latency (us)", "note"), rows)


def _link_entry(name: str) -> Entry:
    link = links()[name]
    return Entry(link.with_defaults(), None, references([link.source]))


def _serving() -> Listing:
    rows = [(name, _default(name), option.meaning, option.source, option.where) for name, option in described().items()]
    return Listing(("option", "default", "meaning", "source", "place"), rows)


def _default(option: str) -> str:
    default = Options.model_fields[option].default
    return "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)


def _serving_entry(name: str) -> Entry:
    option = described()[name]
    default = Options.model_fields[name].default
    fields = ({} if default is None else {"default": default}) | option.with_defaults()
    return Entry(fields, None, references([option.source]))


def _platforms() -> Listing:
    rows = []
    for name, p in platforms().items():
        arrays = ", ".join(f"{key} {array.lanes} x {array.columns}" for key, array in p.arrays.items())
        buffers = sum(buffer.size_bytes for buffer in p.buffers.values()) // 1024
        memory = p.off_chip.device or p.off_chip.memory or "own prices"
        rows.append((name, arrays, buffers, memory, p.off_chip.bandwidth_gb_per_s, p.description))
    return Listing(("platform", "arrays", "buffers (KiB)", "off-chip", "GB/s", "description"), rows)


def _storage_entry(name: str) -> Entry:
    storage = storages()[name]
    return Entry({"bits": storage.bits, **storage.with_defaults()}, None, references([storage.source]))


def _platform_entry(name: str) -> Entry:
    path = FOLDER / f"{name}.yaml"
    return _platform_file_entry(path) if path.is_file() else _platform(platforms()[name], {})


def _platform_file_entry(path: Path) -> Entry:
    document = read_document(path)
    own, platform = completed(PLATFORM, document, (), path.parent), read_platform(path)
    return _platform(platform, _marks(own, platform.model_dump(mode="json", exclude_none=True)))


def _marks(own: Completed, fields: Mapping[str, Any]) -> Mapping[KeyPath, str]:
    """Return where the values of an entry come from that its file does not give."""
    written = set(paths(own.data, leaves=True))
    origins = {path: f"from {origin}" for path, origin in own.origins.items()}
    return origins | {path: "default" for path in paths(fields, leaves=True) if path not in written}


def _platform(platform: Platform, marks: Mapping[KeyPath, str]) -> Entry:
    headers = ("part", "node", "area (um2)", "leakage (W)", "low (W)", "high (W)", "clock up to (MHz)")
    rows = [row for node in platform.nodes if node in technologies() for row in _silicon_rows(platform, node)]
    cited = references([platform.references, *(row.source for row in silicon_rows().values() if rows)])
    fields = platform.model_dump(mode="json", exclude_none=True)
    return Entry(fields, Listing(headers, rows) if rows else None, cited, marks)


def _silicon_rows(platform: Platform, node: str) -> list[tuple[object, ...]]:
    """Return what a platform's configuration says of its parts at a node; nothing where that is not known."""
    technology = technologies()[node]
    try:
        parts, clocks = silicon(platform, technology), clocks_mhz(platform, technology)
    except UnpricedError:
        return []
    return [
        (name, node, f"{part.area_um2:.4g}", *(f"{watts:.3g}" for watts in (part.leakage_w[i] for i in (1, 0, 2))),
         f"{clocks[name]:.4g}" if name in clocks else "")
        for name, part in parts.items()
    ]  # fmt: skip


def _model_entry(name: str) -> Entry:
    return _model(all_presets()[name])


def _model_file_entry(path: Path) -> Entry:
    preset = None if path.exists() else preset_of(str(path))
    if preset is not None:
        return _model_entry(preset)
    if not path.exists() and hub_name(str(path)):
        wrong = f"{brief(str(path))} not found{hint(str(path))}"
        raise InputError([Problem("show", 1, "models", wrong, FILES)])
    entry, stored = _model(read_model(path)), by_type(stored_in(path))
    return entry._replace(table=_tensors(stored)) if stored else entry


def _model(shape: AnyShape) -> Entry:
    if isinstance(shape, ModelShape):
        fields = {name: value for name, value in shape.with_defaults().items() if value is not None}
        fields |= {"hub": shape.hub} if shape.hub else {}
    else:  # every layer would repeat every default
        fields = shape.model_dump(mode="json", exclude_defaults=True)
    return Entry({"parameters": shape.parameters, **fields}, None, references([shape.source]))


def _tensors(stored: Sequence[TypeRow]) -> Listing:
    """Return the bytes of a file's tensors by part and type."""
    headers = ("part", "type", "tensors", "values", "bytes", "bits a value")
    total = TypeRow("total", "", *(sum(row[i] for row in stored) for i in (2, 3, 4)))  # type: ignore[misc]
    rows = [(*row, f"{8 * row.bytes / row.values:.4f}" if row.values else "") for row in (*stored, total)]
    return Listing(headers, rows)


def _scheme_file_entry(path: Path) -> Entry:
    scheme = read_scheme(path)
    return Entry(scheme.model_dump(exclude_none=True), None, references([scheme.source]))


def _scheme_entry(name: str) -> Entry:
    scheme = schemes()[name]
    return Entry(scheme.model_dump(exclude_none=True), None, references([scheme.source]))


def _technology_entry(name: str) -> Entry:
    return _technology(technologies()[name], {})


def _technology_file_entry(path: Path) -> Entry:
    measured, own = validated(path)
    fields = measured.model_dump(mode="json", include={"description", "node_nm"})
    marks = {at: f"from {origin}" for at, origin in own.origins.items()}
    return _technology(measured_technology(path.stem, measured), own.origins)._replace(fields=fields, marks=marks)


def _technology(technology: Technology, origins: Mapping[KeyPath, str]) -> Entry:
    """Return a technology; with `origins`, which of its prices were inherited and from where."""

    def table(key: str, price: str, headers: Sequence[str], rows: Sequence[tuple[object, ...]]) -> Listing:
        if not origins:
            return Listing(headers, rows)
        inherited = [origins.get((key, i, price, "nominal"), "") for i in range(len(rows))]
        return Listing((*headers, "from"), [(*row, text) for row, text in zip(rows, inherited, strict=True)])

    operations = [
        (r.operation, r.format, *_ends(r.energy), r.source.replace(";", " "), r.where) for r in technology.rows.values()
    ]
    shown = table("operations", "energy_pj", ("operation", "format", *PRICES, "source", "where"), operations)
    further = []
    if technology.memories:
        memory_rows = [
            (m.kind, m.name, m.capacity_bytes or "", m.access_bits, *_ends(m.energy), m.source, m.where)
            for m in technology.memories
        ]
        headers = ("memory", "name", "capacity_bytes", "access_bits", *PRICES, "source", "where")
        further.append(("memories, for an access:", table("memories", "energy_pj", headers, memory_rows)))
    if technology.macs:
        size = f"{technology.lanes} x {technology.columns}"
        papers = f"those of {size}" if technology.priced_as_macs else "the operations above"
        further.append((f"{MACS} the papers' accounting pays {papers}:", _macs(technology, origins)))
    cells = [*(row.source for row in technology.rows.values()), *(row.source for row in technology.memories)]
    units = [unit for unit in UNITS if any(operation == unit for operation, _ in technology.rows)]
    paid = {"element_wise": f"{', '.join(units)} as units, all else as operations"} if units else {}
    return Entry({"node_nm": technology.node_nm, **paid}, shown, references(cells), further=further)


def _macs(technology: Technology, origins: Mapping[KeyPath, str]) -> Listing:
    headers = ("MAC", "array", "zeros (%)", *PRICES, "weight loaded (pJ)", "platforms")
    rows = []
    for row in paid_macs(technology):
        more = len(row.payers) - MOST_NAMES
        payers = ", ".join(row.payers[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
        price, load = ([f"{end:.4g}" for end in _ends(value)] for value in (row.price, row.load))
        inherited = origins.get(("macs", technology.macs.index(row.mac), "nonzero_pj", "nominal"), "")
        cells = (row.mac.name, f"{row.lanes} x {row.columns}", f"{100 * row.zero_share:.4g}", *price, load[0], payers)
        rows.append((*cells, inherited) if origins else cells)
    return Listing((*headers, "from") if origins else headers, rows)


def _ends(price: Price) -> tuple[float, float, float]:
    return price.nominal_pj, price.low_pj, price.high_pj


_LISTINGS: Mapping[str, Callable[[], Listing]] = {
    "models": _models,
    "schemes": _schemes,
    "technologies": _technologies,
    "memories": memory_listing,
    "storages": _storages,
    "platforms": _platforms,
    "links": _links,
    "serving": _serving,
}
_ENTRIES: Mapping[str, Callable[[str], Entry]] = {
    "models": _model_entry,
    "schemes": _scheme_entry,
    "technologies": _technology_entry,
    "memories": memory_entry,
    "storages": _storage_entry,
    "platforms": _platform_entry,
    "links": _link_entry,
    "serving": _serving_entry,
}
_FILE_ENTRIES: Mapping[str, Callable[[Path], Entry]] = {
    "models": _model_file_entry,
    "schemes": _scheme_file_entry,
    "technologies": _technology_file_entry,
    "platforms": _platform_file_entry,
}
KINDS = tuple(_LISTINGS)
IN_FILES = {
    "models": (JSON, GGUF), "schemes": (GGUF,), "technologies": TECHNOLOGY.suffixes, "platforms": PLATFORM.suffixes,
}  # fmt: skip
