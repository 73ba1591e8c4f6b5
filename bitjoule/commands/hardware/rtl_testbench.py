"""``bitjoule rtl testbench``: the accelerator with a testbench that needs nothing of bitjoule."""

import argparse
import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path

from bitjoule.commands.hardware.rtl_options import (
    add_configuration,
    configuration_name,
    count,
    fitting,
    matmul,
    seed,
)
from bitjoule.commands.options import folder
from bitjoule.commands.status import OK
from bitjoule.sim.bench.simulators import needs_packages

LARGEST_CYCLES = 100_000  # of one matmul: its operands are written out in hexadecimal


def add_testbench(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``rtl testbench``.

    Parameters
    ----------
    subcommands
        Subparsers of ``bitjoule rtl``.
    """
    parser = subcommands.add_parser(
        "testbench",
        help="write the accelerator with a testbench of its own",
        description="Write a directory with the accelerator as Verilog, a self-checking Verilog testbench, a cocotb "
        "driver, operands and expected results computed by NumPy, and a Makefile: `make` tests it in Verilator, "
        "`make SIM=icarus` in Icarus Verilog, `make cocotb` with cocotb. Nothing of bitjoule is needed to run it.",
    )
    add_configuration(parser)
    parser.add_argument(
        "-o", "--out", type=folder, metavar="DIR",
        help="directory to write (default: NAME-testbench, in the current directory)",
    )  # fmt: skip
    parser.add_argument(
        "--cases", type=count, default=20, metavar="N",
        help="number of random matmuls in addition to the corner cases (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="S", help="seed of shapes and operands (default: %(default)s)"
    )
    parser.add_argument(
        "--matmul", type=matmul, action="append", default=[], metavar="MxKxN",
        help="additional matmul to send; may be repeated",
    )  # fmt: skip
    parser.set_defaults(command=_testbench)


def _testbench(options: argparse.Namespace, _: Sequence[str]) -> int:
    from bitjoule.sim.accelerator.configurations import read_configuration

    config = read_configuration(options.configuration)
    shapes = fitting(config, options.matmul, LARGEST_CYCLES, "as operands are written to files")
    needs_packages("amaranth")

    from bitjoule.experiments.output.folder import MANIFEST, replacing
    from bitjoule.rtl.verilog import accelerator_verilog, description_text
    from bitjoule.sim.testbench.folder import testbench_files
    from bitjoule.sim.testbench.stimulus import cases_of, stimulus_of

    name = configuration_name(options.configuration)
    target = options.out if options.out is not None else Path(f"{name}-testbench")
    cases = cases_of(config, options.cases, options.seed, shapes)
    with replacing(target) as staging:
        texts = testbench_files(config, accelerator_verilog(config), stimulus_of(config, cases), name)
        texts["accelerator.json"] = description_text(config)
        manifest = {
            "configuration": config.as_mapping(),
            "seed": options.seed,
            "matmuls": [list(shape) for case in cases for shape in case.shapes],
            "versions": {package: importlib.metadata.version(package) for package in ("amaranth", "bitjoule", "numpy")},
            "outputs": sorted(texts),
        }
        texts[MANIFEST] = json.dumps(manifest, indent=1) + "\n"
        for file, text in texts.items():
            (staging / file).write_text(text, encoding="utf-8")
    print(f"{target}: {len(manifest['matmuls'])} matmuls; run make in it, its README.md says how")
    return OK
