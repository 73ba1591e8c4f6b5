#!/usr/bin/env bash
# gguf 0.19.0: GGUFWriter splits a model into files of which the first alone has general.alignment; the data of all have that alignment.
#
# Expected: with add_custom_alignment(256), every file of the split says 256, or is written with the default of 32: each file is read
#       with its own key, and the format has 32 for a file without one.
# Seen: the second file is written with 256 and lacks the key; GGUFReader takes its tensors from 96 bytes before their data, without an
#       error: the first values are the padding.
# Consequence: a split model with an alignment of its own has wrong weights in all files but the first; write it in one file.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 gguf==0.19.0
venv/bin/python - <<'PY'
import importlib.metadata
from pathlib import Path

import gguf
import numpy as np

print("gguf", importlib.metadata.version("gguf"))


def read_back(alignment):
    """Of each file the alignment that it states, where the tensor is read, and its first values."""
    folder = Path(f"aligned_{alignment}")
    folder.mkdir()
    writer = gguf.GGUFWriter(folder / "m.gguf", "llama", split_max_tensors=1)
    if alignment is not None:
        writer.add_custom_alignment(alignment)
    for name, start in (("first", 1), ("second", 101)):
        writer.add_tensor(name, np.arange(start, start + 64, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = []
    for path in sorted(folder.iterdir()):
        reader = gguf.GGUFReader(path)
        (tensor,) = reader.tensors
        written = path.read_bytes().index(np.float32({"first": 1, "second": 101}[tensor.name]).tobytes())
        found.append((tensor.name, "general.alignment" in reader.fields, written - tensor.data_offset, tensor.data[:2].tolist()))
    return found


for alignment in (None, 256):
    print(alignment, read := read_back(alignment))
    assert read[0] == ("first", alignment is not None, 0, [1, 2])
    assert read[1] == ("second", False, 0 if alignment is None else 96, [101, 102] if alignment is None else [0, 0])
PY
