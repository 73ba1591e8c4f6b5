#!/usr/bin/env bash
# gguf 0.19.0: dequantize() of an F32 or F16 tensor of a big-endian file gives other numbers, though GGUFReader reads them rightly.
#
# Expected: GGUFReader reads files of both byte orders and gives arrays of that order (>f4, >f2), so that dequantize(tensor.data,
#       tensor.tensor_type), the way that serves all types, gives the values of the file.
# Seen: dequantize() views the bytes as numbers of the machine's order: 1 becomes 4.6e-41, without a warning. tensor.data is right.
# Consequence: whoever reads all tensors of a big-endian file through dequantize() has wrong norms and embeddings: take data of the types
#       F32 and F16 as they are, or astype(numpy.float32).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 gguf==0.19.0
venv/bin/python - <<'PY'
import importlib.metadata
import sys

import gguf
import numpy as np

print("gguf", importlib.metadata.version("gguf"))
same = {"little": gguf.GGUFEndian.LITTLE, "big": gguf.GGUFEndian.BIG}[sys.byteorder]
for order in gguf.GGUFEndian:
    writer = gguf.GGUFWriter(f"{order.name}.gguf", "llama", endianess=order)
    for dtype in (np.float32, np.float16):
        writer.add_tensor(dtype.__name__, np.arange(1, 33, dtype=dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    for tensor in gguf.GGUFReader(f"{order.name}.gguf").tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type)
        print(order.name, tensor.tensor_type.name, tensor.data.dtype, "data", tensor.data[:2], "dequantize", values[:2])
        assert (tensor.data == np.arange(1, 33)).all()
        if order is same:
            assert (values == np.arange(1, 33)).all()
        else:
            swapped = np.arange(1, 33, dtype=tensor.name).byteswap().astype(np.float32)
            np.testing.assert_array_equal(values, swapped)
            assert 0 < values[0] < 1e-5
PY
