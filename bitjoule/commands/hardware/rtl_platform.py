"""``bitjoule rtl platform``: the platform of an accelerator's configuration."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bitjoule.commands.files import YAML, check_output, write_whole
from bitjoule.commands.status import OK


def add_platform(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``rtl platform``.

    Parameters
    ----------
    subcommands
        Subparsers of ``bitjoule rtl``.
    """
    parser = subcommands.add_parser(
        "platform", help="write the platform of a configuration",
        description="Write a platform for energy experiments: the edge device with the configured array in place of "
        "its own. Its clock and leakage are those of the arrays as synthesised.",
    )  # fmt: skip
    parser.add_argument(
        "configuration", metavar="CONFIG.yaml|NAME", help="accelerator: a file, or a built-in configuration"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="PLATFORM.yaml", help="default: NAME-platform.yaml, here")
    parser.set_defaults(command=_platform)


def _platform(options: argparse.Namespace, _: Sequence[str]) -> int:
    from bitjoule.energy_models.inputs.documents import parse_document
    from bitjoule.energy_models.inputs.inheritance import completed
    from bitjoule.energy_models.inputs.validation import validate
    from bitjoule.energy_models.inputs.yaml_core import write_yaml
    from bitjoule.energy_models.system.platform.platforms import PLATFORM, Platform
    from bitjoule.experiments.hardware.platform import platform_of
    from bitjoule.rtl.config import DATAPATHS
    from bitjoule.sim.accelerator.configurations import read_configuration

    config = read_configuration(options.configuration)
    name = Path(options.configuration).stem
    target = options.output if options.output is not None else Path(f"{name}-platform.yaml")
    check_output(target, YAML, Path(options.configuration))
    text = write_yaml(platform_of(config, name), 110)
    document = parse_document(text, str(target))
    validate(Platform, replace(document, data=completed(PLATFORM, document, (), Path()).data))
    write_whole(target, text)
    print(f"{target}: {config.lanes} lanes x {config.columns} columns, {config.weight_encoding}")
    if config.datapath != DATAPATHS[config.weight_encoding][0]:
        usual = DATAPATHS[config.weight_encoding][0]
        print(f"datapath {config.datapath}: technologies of netlists price it as {usual}", file=sys.stderr)
    if config.sums_in_memory:
        print("accumulators memory: technologies of netlists price them as registers", file=sys.stderr)
    return OK
