"""What each list has under each heading, against the data files themselves, read here without any of our readers."""

import csv
import json
from pathlib import Path

import pytest
import yaml

from tests.bitjoule.commands.entries.test_catalogue import listed

ROOT = Path(__file__).parents[4]
DATA = ROOT / "energy_models" / "data"


def loaded(path):
    return yaml.safe_load(path.read_text())


def memories():
    with (DATA / "memories.csv").open(newline="") as handle:
        return {row.pop("memory"): {key: row[key] for key in list(row)[:7]} for row in csv.DictReader(handle)}


def links():
    found = {}
    for name, link in loaded(DATA / "links.yaml")["links"].items():
        price = link["energy_pj_per_bit"]
        ends = price if isinstance(price, dict) else dict.fromkeys(("low", "nominal", "high"), price)
        found[name] = {"pJ/bit": ends["nominal"], "low": ends["low"], "high": ends["high"],
                       "GB/s a direction": link["bandwidth_gb_per_s"], "latency (us)": link["latency_us"],
                       "note": link.get("note", "")}  # fmt: skip
    return found


def storages():
    """Bits a value: those of a word over its values, and those of the scales over their group."""
    found = {}
    for name, each in loaded(DATA / "storage.yaml")["storage"].items():
        bits = each["word_bits"] / each.get("values", 1) + each.get("scale_bits", 0) / each.get("group", 1)
        told = [each[key] for key in ("where", "note") if key in each]
        unpacked = ", ".join(f"{count:g} {operation}" for operation, count in each.get("unpack", {}).items())
        found[name] = {"holds": each["holds"], "bits a value": f"{bits:.5g}", "source": each.get("source", ""),
                       "unpacking a word": unpacked, "place and note": "; ".join(told)}  # fmt: skip
    return found


def schemes():
    """Those that are like no other."""
    every = loaded(DATA / "schemes.yaml")["schemes"]
    keys = ("weights", "activations", "attention", "rescale", "description")
    return {
        name: {key: each.get(key, "") for key in keys if key in each}
        for name, each in every.items()
        if "like" not in each
    }


def models():
    """What a family says of each model, or of all; heads of keys and values are as many as heads by default."""
    found = {}
    for path in (DATA / "models").glob("*.yaml"):
        family = loaded(path)
        for name, own in family["models"].items():
            each = {**family.get("defaults", {}), **own}
            if {"groups", "like", "image"} & set(each) or not {"layers", "hidden", "heads", "ffn"} <= set(each):
                continue
            keys = {key: each[key] for key in ("layers", "hidden", "heads", "ffn", "vocabulary") if key in each}
            found[name] = keys | {"kv_heads": each.get("kv_heads", each["heads"]),
                                  "head_dim": each.get("head_dim", each["hidden"] // each["heads"])}  # fmt: skip
            if "ffn_gated" in each:
                found[name]["gated"] = "yes" if each["ffn_gated"] else "no"
    return found


def parameters(hidden, ffn, layers, heads, kv_heads, sub_norms):
    """Parameters of a decoder on bytes whose embedding is tied."""
    kv = hidden * kv_heads // heads
    norms = 2 * hidden + (hidden + ffn if sub_norms else 0)
    return layers * (2 * hidden * hidden + 2 * hidden * kv + 3 * hidden * ffn + norms) + hidden + 256 * hidden


def checkpoints():
    found = {}
    for path in (ROOT / "sim" / "models").glob("*/config.json"):
        each = json.loads(path.read_text())
        sizes = (each["hidden_size"], each["intermediate_size"], each["num_hidden_layers"], each["num_attention_heads"])
        found[path.parent.name] = {
            "weights": each["bitjoule"]["weights"],
            "nats per byte, held out": each["bitjoule"]["held_out_nats_per_byte"],
            "parameters": parameters(*sizes, each["num_key_value_heads"], True),
        }  # fmt: skip
    return found


def trainings():
    found = {}
    for path in (ROOT / "sim" / "training" / "configs").glob("*.yaml"):
        each = loaded(path)
        common = each.get("common", {})
        rungs = list(each["rungs"].values()) if "rungs" in each else [each]
        made = each.get("formats", {"": {}})
        models = [common.get("model", {}) | rung.get("model", {}) | (more or {}).get("model", {})
                  for rung in rungs for more in made.values()]  # fmt: skip
        sizes = [parameters(m["hidden"], m["ffn"], m["layers"], m["heads"], m.get("kv_heads", m["heads"]),
                            m.get("sub_norms", True)) for m in models]  # fmt: skip
        wholes = [each | common | more for more in made.values()]
        scales = [f"-g{w['group_size']}" if "group_size" in w else f"-s{w['shards']}" if "shards" in w else ""
                  for w in wholes]  # fmt: skip
        formats = list(dict.fromkeys(whole["weights"] + scale for whole, scale in zip(wholes, scales, strict=True)))
        count = len(models) * len(each.get("seeds", [1]))
        found[path.stem] = {
            "size": f"{count} trainings" if "rungs" in each else "1 training", "weights": ", ".join(formats),
            "parameters, at most": max(sizes), "description": each.get("description", ""),
        }  # fmt: skip
    return found


LISTS = {
    "memories": memories, "links": links, "storages": storages, "schemes": schemes, "models": models,
    "checkpoints": checkpoints, "trainings": trainings,
}  # fmt: skip
WHOLE = {"links", "storages", "checkpoints", "trainings"}  # of the others, those that stand alone


def plain(value):
    """Return a value as it is compared: numbers as numbers, texts without their breaks."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return "".join(str(value).split())


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_has_what_the_data_file_says(bitjoule, monkeypatch, kind):
    monkeypatch.delenv("COLUMNS", raising=False)
    status, out, err = bitjoule("list", kind)
    rows, expected = listed(out), LISTS[kind]()
    assert (status, err) == (0, "")
    assert len(expected) >= 2
    assert set(expected) <= set(rows)
    assert kind not in WHOLE or set(expected) == set(rows)
    for name, cells in expected.items():
        for key, value in cells.items():
            assert plain(rows[name][key]) == plain(value), (name, key)
