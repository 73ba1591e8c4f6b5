"""``bitjoule list``, ``show`` and ``schema``: the built-in entries, and the schema of experiment files."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.commands.entries.show_mapping import add_options, show_mapping
from bitjoule.commands.status import OK

if TYPE_CHECKING:
    from bitjoule.energy_models.catalog_entries import Listing

KINDS = {
    "models": "model",
    "schemes": "scheme",
    "technologies": "technology",
    "memories": "memory",
    "storages": "storage",
    "platforms": "platform",
    "links": "link",
    "serving": "serving",
    "accelerators": "accelerator",
    "checkpoints": "checkpoint",
    "trainings": "training",
    "experiments": "experiment",
}


def add_catalogue(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``list``, ``show`` and ``schema``.

    Parameters
    ----------
    commands
        Subparsers of the command line.
    """
    listing = commands.add_parser(
        "list", help="list built-in models, schemes, technologies, ...",
        description="List the built-in entries of one kind: models, schemes, technologies, and so on.",
    )  # fmt: skip
    listing.add_argument("kind", choices=[*KINDS], help="kind of entry to list")
    listing.set_defaults(command=_list)

    show = commands.add_parser(
        "show", help="show one entry with its sources",
        description="Show one entry with its sources and where inherited values come from, the best mapping of a "
        "matmul on a platform, or the data row from which a price was read.",
    )  # fmt: skip
    show.add_argument("kind", choices=[*KINDS.values(), "mapping", "price"], help="kind of entry")
    show.add_argument(
        "name", metavar="NAME",
        help="name as printed by `bitjoule list`; of a platform or technology also the path of a file; of a model also "
        "that of a config.json, a GGUF file or their directory; of a scheme that of a model's file, whose formats it "
        "has; for a mapping the platform (a name or a .yaml file), for a price its key as in the column `price` of "
        "results.csv",
    )  # fmt: skip
    add_options(show)
    show.set_defaults(command=_show)

    schema = commands.add_parser(
        "schema", help="print the JSON Schema of experiment files",
        description="Print the JSON Schema of experiment files, with which editors complete and check them.",
    )  # fmt: skip
    schema.set_defaults(command=_schema)


def _list(options: argparse.Namespace, _: object) -> int:
    from bitjoule.commands.terminal import print_table
    from bitjoule.energy_models.catalog import listing
    from bitjoule.energy_models.catalog_entries import Listing

    if options.kind == "experiments":
        table = _experiments()
    elif options.kind == "accelerators":
        table = _accelerators()
    elif options.kind == "trainings":
        table = _trainings()
    elif options.kind == "checkpoints":
        from bitjoule.sim.llm.trained import described_models

        table = Listing(("checkpoint", "weights", "parameters", "nats per byte, held out"), described_models())
    else:
        table = listing(options.kind)
    print_table(table.headers, table.rows, maxcolwidths=[None] * (len(table.headers) - 1) + [70])
    return OK


def _accelerators() -> "Listing":
    """Return the arrays, and the whole BitLinears, whose last column says what is around the array."""
    from bitjoule.energy_models.catalog_entries import Listing
    from bitjoule.rtl.linear.config import LinearConfig
    from bitjoule.sim.accelerator.configurations import read_design, shipped_configurations, shipped_linears

    designs = {name: read_design(name) for name in (*shipped_configurations(), *shipped_linears())}
    linears = {name: design for name, design in designs.items() if isinstance(design, LinearConfig)}
    arrays = {
        name: (design.array if isinstance(design, LinearConfig) else design).as_mapping()
        for name, design in designs.items()
    }
    keys = tuple(next(iter(arrays.values())))
    rows = [
        (name, *(array[key] for key in keys), linears[name].in_words if name in linears else "")
        for name, array in arrays.items()
    ]
    return Listing(("accelerator", *keys, "linear"), rows)


def _trainings() -> "Listing":
    """Return the training files and ladders for `bitjoule train`."""
    from bitjoule.energy_models.catalog_entries import Listing
    from bitjoule.energy_models.inputs.documents import read_document
    from bitjoule.sim.training.config import read_training
    from bitjoule.sim.training.ladder import is_ladder, read_ladder
    from bitjoule.sim.training.shipped import shipped_trainings

    rows = []
    for name, path in shipped_trainings().items():
        document = read_document(path, name)
        configs = [rung.training.config for rung in read_ladder(document)] if is_ladder(document) else []
        size = f"{len(configs)} trainings" if configs else "1 training"
        configs = configs or [read_training(document).config]
        formats = ", ".join(dict.fromkeys(config.weight_format for config in configs))
        parameters = max(config.model.parameters for config in configs)
        rows.append((name, size, formats, parameters, document.data.get("description", "")))
    return Listing(("training", "size", "weights", "parameters, at most", "description"), rows)


def _experiments() -> "Listing":
    from bitjoule.energy_models.catalog_entries import Listing
    from bitjoule.execution import described
    from bitjoule.experiments.files import shipped_experiments
    from bitjoule.kinds import kinds

    pairs = [described(name) for name in shipped_experiments()]
    pairs.sort(key=lambda pair: list(kinds()).index(pair[0]))
    rows = [(file.name, kind, file.size, file.description) for kind, file in pairs]
    return Listing(("experiment", "kind", "size", "description"), rows)


def _show(options: argparse.Namespace, _: object) -> int:
    from bitjoule.commands.terminal import print_table
    from bitjoule.energy_models.catalog import IN_FILES, entry, entry_of_file
    from bitjoule.energy_models.inputs.documents import is_path, read_text
    from bitjoule.energy_models.inputs.yaml_core import write_marked
    from bitjoule.experiments.files import find_experiment

    if options.kind == "experiment":
        print(read_text(find_experiment(options.name), options.name), end="")
        return OK
    if options.kind == "mapping":
        print(show_mapping(options))
        return OK
    if options.kind == "price":
        print(_price(options.name))
        return OK
    if options.kind == "accelerator":
        from bitjoule.sim.accelerator.configurations import find_configuration

        print(read_text(find_configuration(options.name), options.name), end="")
        return OK
    if options.kind == "training":
        from bitjoule.sim.training.shipped import find_training

        print(read_text(find_training(options.name), options.name), end="")
        return OK
    if options.kind == "checkpoint":
        from bitjoule.sim.llm.trained import find_model

        print(read_text(find_model(options.name) / "README.md", options.name), end="")
        return OK
    kind = next(plural for plural, singular in KINDS.items() if singular == options.kind)
    in_file = kind in IN_FILES and is_path(options.name, IN_FILES[kind])
    result = entry_of_file(kind, Path(options.name)) if in_file else entry(kind, options.name)
    if result.fields:
        print(write_marked(result.fields, result.marks, 110))
    if result.table is not None:
        print_table(result.table.headers, result.table.rows)
        print()
    for title, table in result.further:
        print(f"{title}\n")
        print_table(table.headers, table.rows, disable_numparse=True)
        print()
    print("\n".join(["sources:", *result.references]))
    return OK


def _price(key: str) -> str:
    from bitjoule.energy_models.inputs.sources import references
    from bitjoule.energy_models.inputs.yaml_core import write_yaml
    from bitjoule.energy_models.prices.rows import price_row

    row = price_row(key)
    low, nominal, high = row.price
    band = {"low_pj": low, "high_pj": high} if low != high else {}
    fields = {
        "price": row.key, "energy_pj": nominal, **band, "for one": row.unit, "read from": ", ".join(row.places),
        "derived": row.derived, "where": row.where,
    }  # fmt: skip
    text = write_yaml({name: value for name, value in fields.items() if value != ""}, 110)
    return "\n".join([text, "sources:", *references([row.source])])


def _schema(_: argparse.Namespace, __: object) -> int:
    import json

    from bitjoule.execution import json_schema

    print(json.dumps(json_schema(), indent=2))
    return OK
