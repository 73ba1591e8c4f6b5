"""What the page of a sweep holds: a sweep no two of whose numbers are equal, read back from the page alone."""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bitjoule.experiments.results.sweep import GROUPS, KEYS, sweep
from bitjoule.reports.figures.hatches import APART, HATCHES, lightness
from bitjoule.reports.figures.style import DARK, LIGHT
from bitjoule.reports.page import explorer as page
from bitjoule.reports.page.explorer import Explored, explorer
from bitjoule.reports.page.patterns import SIDE_PX, patterns
from tests.reports.page.test_tables import read

NAMES = [("m1", "p1", "t", "s1"), ("m1", "p1", "t", "s2"), ("m2", "p1", "t", "s1"), ("m2", "p1", "t", "s2"),
         ("m1", "p2", "t", "s1")]  # fmt: skip
AMOUNTS = [(3, 2, 5), (3, 2, 7), (11, 2, 5)]  # new tokens, batch, prompt tokens


def cases():
    """Return the three tables of a run; the numbers are those of the row, in units that differ by column."""
    summary, components, memory = [], [], []
    for i, names in enumerate(NAMES):
        for j, amounts in enumerate(AMOUNTS):
            if (i, j) == (4, 2):  # this case did not run
                continue
            for k, phase in enumerate(("prefill", "decode", "request")):
                n = 100 * i + 10 * j + k + 1
                key = dict(zip(KEYS, (*names, *amounts, phase), strict=True))
                ends = {"energy_low_j": n * 0.5, "energy_high_j": n * 2.0}
                summary.append({**key, "energy_j": float(n), **ends, "latency_s": n / 1024})
                for at, component in enumerate(("q_proj", "o_proj", "static", "leakage", "unheard_of")):
                    value = n * (at + 1) / 16
                    components.append({**key, "component": component, "energy_j": value, "energy_low_j": value / 2,
                                       "energy_high_j": value * 4, "time_s": value / 64})  # fmt: skip
            memory.append({
                **dict(zip(KEYS, (*names, *amounts), strict=False)), "weights_bytes": 1000 + i, "tables_bytes": 0,
                "kv_cache_bytes": 100 * j + i, "memory_bytes": 1000 + 2 * i + 100 * j,
            })  # fmt: skip
    frames = [pd.DataFrame(rows) for rows in (summary, components, memory)]
    kept = frames[2]["platform"] == "p1"
    return frames[0], frames[1], frames[2][kept]


@pytest.fixture(scope="module")
def explored():
    capacities = {"p1": {"s1": 17, "s2": None}, "p2": {"s1": 19}}
    return Explored(
        "try", "two <i>formats</i>", sweep(*cases()), {"s1": "floating point", "s2": "ternary"}, capacities, "s1",
        "name: try  # </script>", ["one & two"], "bitjoule explorer try",
    )  # fmt: skip


@pytest.fixture(scope="module")
def text(explored):
    return explorer(explored, "1.2.3", "x.html")


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def unpacked(data, packed):
    shape = [len(data["axes"][key]) for key in data["keys"]]
    return np.frombuffer(base64.b64decode(packed), dtype="<f8").reshape(shape)


def test_every_number_is_that_of_the_tables_at_its_place(text):
    data = data_of(text)
    summary, components, memory = cases()
    assert data["axes"] == {
        "model": ["m1", "m2"], "platform": ["p1", "p2"], "technology": ["t"], "scheme": ["s1", "s2"],
        "new_tokens": [3, 11], "batch": [2], "prompt_tokens": [5, 7], "phase": ["prefill", "decode"],
    }  # fmt: skip
    groups = {"projections": ["q_proj", "o_proj"], "static power and leakage": ["static", "leakage"],
              "other parts": ["unheard_of"]}  # fmt: skip
    assert set(data["energy"]) == set(data["time"]) == set(groups)
    filled = 0
    for index in np.ndindex(*(len(values) for values in data["axes"].values())):
        key = {name: values[i] for (name, values), i in zip(data["axes"].items(), index, strict=True)}
        of_case = summary[(summary[list(key)] == pd.Series(key)).all(axis=1)]
        for name, column in (("energy_j", "energy_j"), ("energy_low_j", "energy_low_j"),
                             ("energy_high_j", "energy_high_j"), ("time_s", "latency_s")):  # fmt: skip
            found = unpacked(data, data["sums"][name])[index]
            assert np.isnan(found) if of_case.empty else found == of_case[column].item()
        rows = components[(components[list(key)] == pd.Series(key)).all(axis=1)]
        filled += not rows.empty
        for group, parts in groups.items():
            of_group = rows[rows["component"].isin(parts)]
            assert unpacked(data, data["energy"][group])[index] == pytest.approx(of_group["energy_j"].sum())
            assert unpacked(data, data["time"][group])[index] == pytest.approx(of_group["time_s"].sum())
        static = rows[rows["component"].isin(groups["static power and leakage"])]
        for end in ("low", "high"):
            assert unpacked(data, data["static"][end])[index] == pytest.approx(static[f"energy_{end}_j"].sum())
    assert filled == 2 * (len(NAMES) * len(AMOUNTS) - 1)
    assert (data["wholeMemory"], data["staticPart"]) == ("memory_bytes", "static power and leakage")
    assert set(data["memory"]) == {"weights", "KV cache", "memory_bytes"}  # tables are nowhere
    shape = [len(data["axes"][key]) for key in data["memoryKeys"]]
    for name, column in (("weights", "weights_bytes"), ("KV cache", "kv_cache_bytes"), ("memory_bytes",) * 2):
        array = np.frombuffer(base64.b64decode(data["memory"][name]), dtype="<f8").reshape(shape)
        for row in memory.to_dict("records"):
            assert array[tuple(data["axes"][key].index(row[key]) for key in data["memoryKeys"])] == row[column]


def test_capacities_are_those_of_platform_and_scheme(text):
    assert data_of(text)["capacities"] == [[17, None], [19, None]]
    assert data_of(text)["baseline"] == "s1"


def test_the_table_without_scripts_has_joules_for_each_token_of_a_phase(text):
    """Of the prompt's tokens in prefill and of those generated in decode, of all sequences."""
    table = read(re.search(r'<table class="data" id="values".*?</table>', text, re.DOTALL)[0])
    summary = cases()[0]
    summary = summary[summary["phase"] != "request"]
    others = [key for key in KEYS if key != "scheme"]
    assert table.columns == [*others, "s1", "s2"]
    expected = {}
    for row in summary.to_dict("records"):
        tokens = row["batch"] * (row["prompt_tokens"] if row["phase"] == "prefill" else row["new_tokens"])
        case = tuple(str(row[key]) for key in others)
        expected.setdefault(case, {})[row["scheme"]] = row["energy_j"] / tokens
    found = {tuple(row[key] for key in others): row for row in table.records()}
    assert len(found) == len(table.rows) - 1
    for case, row in found.items():
        assert {name: float(row[name]) for name in ("s1", "s2") if row[name]} == expected[case]
    assert set(found) == set(expected)


def test_each_group_of_parts_has_a_hue_of_its_own_in_both_themes(text):
    light, dark = (page._parts(theme) for theme in (LIGHT, DARK))
    assert set(light) == set(dark) == {*GROUPS, "weights", "activations", "adapters"}
    assert len({light[name] for name in GROUPS}) == len({dark[name] for name in GROUPS}) == len(GROUPS)
    memory = ["weights", "embedding and head", "KV cache", "activations", "adapters"]
    assert len({light[name] for name in memory}) == len(memory)
    for theme, parts in ((LIGHT, light), (DARK, dark)):
        assert f"--background:{theme.background};--text:{theme.text};--grid:{theme.grid};" in text
        assert f"--series3:{theme.series[3]};" in text
        assert all(f"--part-{name.replace(' ', '-').lower()}:{colour};" in text for name, colour in parts.items())
    assert "--part-kv-cache:" in text
    assert light["KV cache"] == LIGHT.cache[0]


def test_the_largest_parts_have_no_hatch(explored):
    """Shares count, not joules: a small case has as much to say as a large one."""
    energy_j = {"projections": [1, 500.0], "attention": [8, 490], "KV cache": [0, 0], "feed-forward": [1, 10]}
    shared = {name: np.array(values, dtype=float) for name, values in energy_j.items()}
    assert page._largest_first(shared) == ["attention", "projections", "feed-forward", "KV cache"]
    light, dark = page._parts(LIGHT), page._parts(DARK)
    hatched = page._hatched(replace(explored.sweep, energy_j=shared, memory_bytes={}))
    assert set(hatched) == {"energy", "memory"}
    assert hatched["memory"] == {}
    apart = [abs(lightness(of["projections"]) - lightness(of["attention"])) for of in (light, dark)]
    assert min(apart) < APART  # so that one of both needs a hatch
    assert set(hatched["energy"]) == {"projections", "KV cache", "feed-forward"}


def test_every_hatch_has_a_pattern_of_its_own():
    parts = [f"part {i}" for i in range(len(HATCHES))]
    colors = {theme: dict.fromkeys(parts, "#123456") for theme in (LIGHT, DARK)}
    made = patterns("all", parts, parts, colors)
    assert list(made) == parts[1:]
    drawn = {re.search(r' d="(.*?)"', text)[1] for text in made.values()}
    assert len(drawn) == len(HATCHES) - 1
    for part, text in made.items():
        name = part.replace(" ", "-")
        assert f'id="all-{name}"' in text
        assert f'<rect width="{SIDE_PX}" height="{SIDE_PX}" style="fill:var(--part-{name})"/>' in text
        assert f":var(--hatch-{name})" in text


def test_the_page_says_what_it_is(text, explored):
    assert "two &lt;i&gt;formats&lt;/i&gt;" in text
    assert "one &amp; two" in text
    assert "name: try  # &lt;/script&gt;" in text
    assert "1.2.3" in text
    assert json.loads(re.search(r'id="config">(.*?)</script>', text)[1])["kinds"] == dict(explored.scheme_kinds)
    assert explored.cases == len(NAMES) * len(AMOUNTS) - 1


def test_a_sweep_without_memory_has_none(explored):
    summary, components, memory = cases()
    without = replace(explored, sweep=sweep(summary, components, memory.iloc[:0, :0]))
    assert data_of(explorer(without, "1", "x.html"))["memory"] == {}
