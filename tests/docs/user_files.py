"""The files of a user's that commands on the pages name: a checkpoint, a cell library, another tool's architecture."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile, copytree

import yaml

from bitjoule.energy_models.inputs.yaml_core import write_yaml
from bitjoule.energy_models.machines.rows import MEASURED_FILE
from bitjoule.gates.liberty.libraries import default_liberty
from tests.bitjoule.commands.test_interchange import CONFIG
from tests.conftest import EDGE
from tests.docs.shown import ROOT
from tests.energy_models.interchange import test_accelforge, test_timeloop, test_zigzag
from tests.sim.gguf_models import q1_0, write_model

Maker = Callable[[Path], object]
MODELS = ROOT / "sim" / "models"
CHECKPOINT = ROOT / "tests" / "energy_models" / "configs" / "llama-7b" / "config.json"


def copied(place: str) -> Maker:
    """Return what copies a file or a folder of the repository."""
    source = ROOT / place
    return lambda path: (copytree if source.is_dir() else copyfile)(source, path)


def text(contents: str) -> Maker:
    """Return what writes a text."""
    return lambda path: path.write_text(contents)


def cells(path: Path) -> None:
    """Write the cells of FreePDK45 under another name, gzipped where the name says so."""
    library = default_liberty().read_bytes()
    path.write_bytes(gzip.compress(library, 1) if path.suffix == ".gz" else library)


def measured(*devices: str) -> Maker:
    """Return what writes the measured rows of some devices."""

    def write(path: Path) -> None:
        with MEASURED_FILE.open(newline="") as handle:
            header, *rows = csv.reader(handle)
        place = header.index("device")
        with path.open("w", newline="") as handle:
            csv.writer(handle).writerows([header, *(row for row in rows if row[place].startswith(devices))])

    return write


def gguf(path: Path) -> None:
    """Write the bundled float model as a GGUF file of signs."""
    folder = path.parent / "floats"
    copytree(MODELS / "tiny-fp16", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"rope_parameters": {"rope_theta": config["rope_theta"]}}))
    write_model(folder, path, "llama", q1_0)


def tiny(**values: object) -> Maker:
    """Return what writes the smallest accelerator with other values."""
    shipped = yaml.safe_load((ROOT / "rtl" / "configs" / "tiny_8x4.yaml").read_text())
    return lambda path: path.write_text(yaml.safe_dump(shipped | values))


ACCELERATOR = copied("rtl/configs/tiny_8x4.yaml")
CALIBRATED = tiny(lanes=32, columns=4)  # in 16 x 2 a fit with one share of zeros finds no energy of a MAC
FILES: dict[str, dict[str, Maker]] = {
    "docs/cluster.md": {"my_sweep.yaml": text(EDGE)},
    "docs/exploration.md": {"my_cells.lib": cells},
    "docs/fpga.md": {"mine.yaml": tiny(columns=2, activation_bits=4)},  # no more ports than the package has pins
    "docs/hardware.md": {"mine.yaml": ACCELERATOR, "benchmarks/configs": copied("benchmarks/configs")},
    "docs/how-to/": {"config.json": lambda path: copyfile(CHECKPOINT, path)},
    "docs/measured-machines.md": {
        "measured.csv": measured("RTX 4090", "H100", "1x H100"),
        "chips/h100.yaml": text("like: h100\nfit:\n  static.board: {low: 20, high: 450}\n"),
        "fitted": lambda path: path.mkdir(),
    },
    "docs/measured-prices.md": {"my_array.yaml": CALIBRATED, "my.lib": cells},
    "docs/models.md": {
        "my_array.yaml": CALIBRATED,
        "path/to/huggingface/folder": copied("sim/models/tiny-b158"),
        "path/to/float/model": copied("sim/models/tiny-fp16"),
        "path/to/model.gguf": gguf,
    },
    "docs/other-tools.md": {
        "tpu_like.yaml": text(write_yaml(test_zigzag.accelerator())),
        "tpu_like_mapping.yaml": text(test_zigzag.MAPPING),
        "nvdla.yaml": text(test_accelforge.CHIP),
        "arch.yaml": text(test_timeloop.NESTED),
        "ERT.yaml": text(test_timeloop.ERT),
        "google.cfg": text(CONFIG),
        "layers.csv": text("Layer,M,N,K,\nfc,64,128,256,\n"),
        "chips": lambda path: path.mkdir(),
    },
    "docs/prices.md": {
        "mine.yaml": text(
            "like: 45nm\noperations:\n"
            "  - {operation: add, format: int8, energy_pj: {low: 0.01, nominal: 0.02, high: 0.03}, source: a talk}\n"
        )
    },
    "docs/quickstart.md": {"my/cells_typical.lib.gz": cells},
    "docs/verification.md": {"mine.yaml": ACCELERATOR},
}


def lay_out(page: str, folder: Path) -> None:
    """Write the files that a page's commands name and neither the page nor its commands write."""
    for place, files in FILES.items():
        if page.startswith(place):
            for name, make in files.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                make(path)
