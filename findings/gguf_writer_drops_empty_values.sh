#!/usr/bin/env bash
# gguf 0.19.0: GGUFWriter.add_string(key, "") and add_array(key, []) write nothing: the key is not in the file.
#
# Expected: a key with an empty text or list, which the format has, or an error.
# Seen: both calls return as others do, and the file lacks the keys; add_key_value(key, "", STRING) writes the empty text.
# Consequence: what is read back is "not given" instead of "empty": a list of layers that is empty, a system prompt that is "".
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 gguf==0.19.0
venv/bin/python - <<'PY'
import gguf

writer = gguf.GGUFWriter("m.gguf", "llama")
writer.add_string("empty.text", "")
writer.add_array("empty.list", [])
writer.add_string("some.text", "x")
writer.add_key_value("empty.text.by.its.type", "", gguf.GGUFValueType.STRING)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
fields = gguf.GGUFReader("m.gguf").fields
print([key for key in fields if not key.startswith("GGUF.")])
assert "empty.text" not in fields and "empty.list" not in fields
assert fields["some.text"].contents() == "x" and fields["empty.text.by.its.type"].contents() == ""
PY
