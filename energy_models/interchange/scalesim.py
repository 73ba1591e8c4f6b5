"""SCALE-Sim's configuration and topology: an array with three SRAMs, and layers as matmuls.

Format as in scalesim 3.0: array height and width, kilobytes of the three SRAMs, words a cycle of the interface. It has
no energies and no clock. Layers are convolutions, or M, N, K of matmuls.
"""

import configparser
import csv
import io
import math
from pathlib import Path

from bitjoule.energy_models.inputs.documents import read_text
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, csv_errors, whole_file
from bitjoule.energy_models.interchange.levels import Hardware, Level

WORD_BITS = 8
KB = 1024
SRAMS = {"ifmapsramszkb": "inputs", "filtersramszkb": "weights", "ofmapsramszkb": "outputs"}
PRESETS, RUN = "architecture_presets", "run_presets"
CONVOLUTION, GEMM = 8, 4  # columns of a layer
DEPTHWISE = "DP"  # in the name of a convolution of each channel alone
LARGEST = 1 << 30


def read_scalesim(path: Path) -> Hardware:
    """Read a configuration.

    Parameters
    ----------
    path
        The ``.cfg`` file.

    Raises
    ------
    InputError
        It is not a configuration of SCALE-Sim, or a value is missing or wrong.
    """
    text, file = read_text(path, str(path)), str(path)
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text, file)
    except configparser.Error as error:
        raise whole_file(file, brief(str(error).splitlines()[0], 100), "a configuration of SCALE-Sim") from None
    if PRESETS not in parser:
        raise whole_file(file, f"has no section [{PRESETS}]", "a configuration of SCALE-Sim")
    presets = parser[PRESETS]

    def count(key: str) -> int:
        found = presets.get(key, "")
        if not found.strip().isdigit() or not 1 <= int(found) <= LARGEST:
            line = next((i for i, each in enumerate(text.lower().splitlines(), 1) if each.strip().startswith(key)), 1)
            wrong = f"got {brief(found)}" if found else "is missing"
            raise InputError([Problem(file, line, key, wrong, "a whole number above zero")])
        return int(found)

    rows, columns = count("arrayheight"), count("arraywidth")
    left_out = ["energies: SCALE-Sim has none; all are the technology's", f"words of {WORD_BITS} bits were assumed"]
    dataflow = presets.get("dataflow", "ws").strip().lower()
    if dataflow not in ("ws", "os", "is"):
        raise InputError([Problem(file, 1, "dataflow", f"got {brief(dataflow)}", "one of ws, os, is")])
    if dataflow != "ws":
        left_out.append(f"dataflow {dataflow}: arrays here keep weights in place (ws)")
    levels = [_interface(parser, presets.get("bandwidth", ""), file, left_out)]
    for key, operand in SRAMS.items():
        levels.append(
            Level(key.replace("sramszkb", "_sram"), frozenset({operand}), count(key) * KB * 8.0, inside=False)
        )
    if "sparsity" in parser and parser["sparsity"].get("sparsitysupport", "").strip().lower() == "true":
        left_out.append("sparsity: a scheme of N:M weights says the same here")
    if "layout" in parser:
        left_out.append("layout: banks and ports of the SRAMs")
    name = parser.get("general", "run_name", fallback=path.stem).strip().strip('"')
    return Hardware(
        "SCALE-Sim", name, rows, columns, None, WORD_BITS, tuple(levels), pipeline_cycles=rows + columns - 2,
        left_out=tuple(left_out),
    )  # fmt: skip


def _interface(parser: configparser.ConfigParser, words: str, file: str, left_out: list[str]) -> Level:
    mode = parser.get(RUN, "InterfaceBandwidth", fallback="CALC").strip().upper()
    bits = math.inf
    if mode == "USER":
        try:
            bits = min(float(word) for word in words.split(",")) * WORD_BITS
        except ValueError:
            raise InputError([Problem(file, 1, "bandwidth", f"got {brief(words)}", "words a cycle")]) from None
    else:
        left_out.append("InterfaceBandwidth CALC: SCALE-Sim reports the bandwidth that never stalls; none stalls here")
    every = frozenset(SRAMS.values())
    return Level("interface", every, math.inf, inside=False, read_bits=bits, write_bits=bits)


def read_topology(path: Path) -> list[dict[str, int]]:
    """Read the layers of a topology as matmuls.

    Parameters
    ----------
    path
        The CSV file: a header, then a row a layer: name, M, N, K; or name, height and width of the input map and of the
        filter, channels, filters, stride, each with an optional N:M sparsity and an optional comma at the end.

    Returns
    -------
    list of dict
        ``m``, ``k`` and ``n`` of each layer, in order. A strided convolution whose filter does not fit into the last
        columns or rows of its map has one more output than usual, as in SCALE-Sim. A layer with ``DP`` in its name is
        the matmul of one of its channels.

    Raises
    ------
    InputError
        A row has another number of columns, or a value is not a whole number above zero.
    """
    file = str(path)
    reader = csv.reader(io.StringIO(read_text(path, file)))
    with csv_errors(file, reader):
        lines = list(reader)
    found = []
    for line, row in enumerate(lines[1:], 2):
        cells = [cell.strip() for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        if len(cells) > GEMM and ":" in cells[-1]:
            cells.pop()
        values = _sizes(cells[1:], file, line)
        if len(cells) == GEMM:
            m, n, k = values
            found.append({"m": m, "k": k, "n": n})
        elif len(cells) == CONVOLUTION:
            height, width, rows, columns, channels, filters, stride = values
            if rows > height or columns > width:
                raise InputError([Problem(file, line, cells[0], "a filter larger than its map", "a smaller filter")])
            pixels = math.ceil((height - rows) / stride + 1) * math.ceil((width - columns) / stride + 1)  # as it rounds
            terms = rows * columns * (1 if DEPTHWISE in cells[0] else channels)
            found.append({"m": pixels, "k": terms, "n": filters})
        else:
            expected = f"{GEMM} (name, M, N, K) or {CONVOLUTION} (name, map, filter, channels, filters, stride)"
            raise InputError([Problem(file, line, cells[0], f"{len(cells)} columns", expected)])
    if not found:
        raise whole_file(file, "has no layers", "a header and a row for each layer")
    return found


def _sizes(cells: list[str], file: str, line: int) -> list[int]:
    for cell in cells:
        if not cell.isdigit() or not 1 <= int(cell) <= LARGEST:
            raise InputError([Problem(file, line, "layer", f"got {brief(cell)}", "a whole number above zero")])
    return [int(cell) for cell in cells]
