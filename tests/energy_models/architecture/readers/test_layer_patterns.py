"""Which layers a rule of data/huggingface.yaml marks: layer by layer, written out by hand from what the rule says.

The types that ship use few of the ways of each rule at small sizes; here each way stands alone.
"""

import re
from types import SimpleNamespace

import pytest

from bitjoule.energy_models.architecture.readers import layer_rules
from bitjoule.energy_models.architecture.readers.config_values import changed, nested
from bitjoule.energy_models.architecture.readers.layer_patterns import (
    layer_groups,
    layer_windows,
    listed_layers,
    rounded_width,
)
from bitjoule.energy_models.architecture.readers.pattern_errors import PatternError

NO_RULES = dict.fromkeys(
    ("positions", "windows", "kinds", "block_configs", "mixtures", "shared_caches", "indexers", "rotary_shares",
     "further_layers")
) | {"layer_keys": {}}  # fmt: skip


def rules(**given):
    return SimpleNamespace(**{**NO_RULES, **given})


def by_layer(given, config, layers, mixes=True):
    """Return the changes of each layer, unfolded from groups with a repeat count or numbers of layers."""
    found = [None] * layers
    at = 0
    for group in layer_groups(given, config, layers, mixes):
        change = {key: value for key, value in group.items() if key not in ("repeats", "layer_numbers")}
        where = group.get("layer_numbers")
        numbers = range(at, at + group["repeats"]) if where is None else numbers_of(where)
        for number in numbers:
            assert found[number] is None
            found[number] = change
        at += group.get("repeats", 0)
    assert None not in found
    return found


def numbers_of(text):
    """Return the numbers that a group names, as ``0-3, 5``."""
    spans = re.findall(r"(\d+)(?:\s*-\s*(\d+))?", str(text))
    return [number for first, last in spans for number in range(int(first), int(last or first) + 1)]


def marks(found, key, letters):
    """Return a letter for each layer: of its value under a key."""
    return "".join(letters[change.get(key)] for change in found)


INTERVALS = layer_rules.Mixtures(start="s", start_default=1, end="e", interval="i")
DENSE = [  # rule, config, a letter for each layer: D dense, M mixture
    (INTERVALS, {}, "DMMMMMMM"),
    (INTERVALS, {"s": 2, "e": 5, "i": 2}, "DDDMDMDD"),
    (INTERVALS, {"s": 0, "e": 0}, "MDDDDDDD"),
    (INTERVALS, {"s": 0, "e": -1, "i": 3}, "DDMDDMDD"),
    (INTERVALS, {"s": 0, "i": 0}, "MMMMMMMM"),
    (layer_rules.Mixtures(first="f"), {"f": 3}, "DDDMMMMM"),
    (layer_rules.Mixtures(first="f", first_default=1), {}, "DMMMMMMM"),
    (layer_rules.Mixtures(first_default=2), {"f": 3}, "DDMMMMMM"),
    (layer_rules.Mixtures(step="n"), {"n": 3}, "DDMDDMDD"),
    (layer_rules.Mixtures(step="n"), {}, "MMMMMMMM"),
    (layer_rules.Mixtures(step="n", offset="o"), {"n": 3, "o": 1}, "DMDDMDDM"),
    (layer_rules.Mixtures(step="n", offset="o"), {"n": 3}, "MDDMDDMD"),
    (layer_rules.Mixtures(step="n", dense="d"), {"n": 2, "d": [1, 2]}, "DDDMDMDM"),
    (layer_rules.Mixtures(sparse="m"), {"m": [0, 7]}, "MDDDDDDM"),
    (layer_rules.Mixtures(sparse="m"), {"m": "2, 3,5"}, "DDMMDMDD"),
    (layer_rules.Mixtures(listed="l", first="f"), {"l": ["dense", "sparse"] * 4, "f": 8}, "DMDMDMDM"),
    (layer_rules.Mixtures(listed="l", first="f"), {"f": 1}, "DMMMMMMM"),
    (layer_rules.Mixtures(flags="g", first="f"), {"g": [0, 1, 1, 0, 1, 1, 1, 1], "f": 8}, "DMMDMMMM"),
    (layer_rules.Mixtures(flags="g", first="f"), {"g": 1, "f": 2}, "DDMMMMMM"),
]


@pytest.mark.parametrize(("rule", "config", "expected"), DENSE)
def test_dense_layers_of_a_mixture(rule, config, expected):
    found = by_layer(rules(mixtures=rule), config, 8)
    assert marks(found, "experts", {1: "D", None: "M"}) == expected
    assert by_layer(rules(mixtures=rule), config, 8, mixes=False) == [{}] * 8


def test_what_else_is_special_in_a_dense_layer():
    rule = layer_rules.Mixtures(first="f", changes={"ffn": "=wide|narrow", "mixer.kind": "linear"})
    first, second = by_layer(rules(mixtures=rule), {"f": 1, "narrow": 7}, 2)
    assert second == {}
    without = {"active_experts": 1, "shared_ffn": 0, "shared_gate": False, "router_bias": False, "expert_latent": 0}
    assert first == {"experts": 1, **without, "branch_norms": False, "ffn": 7, "mixer": {"kind": "linear"}}


POSITIONS = layer_rules.Positions(rotated="r", except_every="e", except_default=4)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "RRR-RRR-"), ({"e": 3}, "RR-RR-RR"), ({"e": 1}, "--------"), ({"e": 0}, "RRRRRRRR"),
        ({"r": [0, 1, 1, 1, 0, 0, 1, 1], "e": 3}, "-RRR--RR"),
    ],
)  # fmt: skip
def test_layers_without_rotary_positions(config, expected):
    found = by_layer(rules(positions=POSITIONS), config, 8)
    assert marks(found, "rotary_share", {0.0: "-", None: "R"}) == expected


def windows(**given):
    return layer_rules.Windows(width="w", **given)


KINDS = ["full_attention", "sliding_attention", "chunked_attention", "global", "local", "full_attention"]
WINDOWED = [  # rule, config, the letters of six layers: W window, F all tokens
    (windows(), {"w": 9}, "WWWWWW"),
    (windows(), {}, "FFFFFF"),
    (windows(), {"w": 0}, "FFFFFF"),
    (windows(default=9), {}, "WWWWWW"),
    (windows(where="on"), {"w": 9}, "FFFFFF"),
    (windows(where="on"), {"w": 9, "on": True}, "WWWWWW"),
    (windows(every=3), {"w": 9}, "WWFWWF"),
    (windows(every=3, first=True), {"w": 9}, "FWWFWW"),
    (windows(every=3, every_key=["n", "m"]), {"w": 9, "m": 2}, "WFWFWF"),
    (windows(every=3, every_key=["n", "m"]), {"w": 9, "n": 4, "m": 2}, "WWWFWW"),
    (windows(every=3, every_key=["n", "m"]), {"w": 9}, "WWFWWF"),
    (windows(every=3, before="b"), {"w": 9, "b": 4}, "WWFWFF"),
    (windows(after="a"), {"w": 9, "a": 2}, "FFWWWW"),
    (windows(after="a", after_default=5), {"w": 9}, "FFFFFW"),
    (windows(last_full=True), {"w": 9}, "WWWWWF"),
    (windows(every=3), {"w": 9, "layer_types": KINDS}, "FWWFWF"),
    (windows(listed="l", last_full=True), {"w": 9, "l": KINDS[::-1]}, "FWFWWF"),
    (windows(runs="r"), {"w": 9, "r": [[["global", "local"], 2], [["local"], 2]]}, "FWFWWW"),
]


@pytest.mark.parametrize(("rule", "config", "expected"), WINDOWED)
def test_layers_with_windows(rule, config, expected):
    found = by_layer(rules(windows=rule), config, 6)
    assert marks(found, "window", {9: "W", None: "F"}) == expected
    assert layer_windows(rules(windows=rule), config, 6) == [{"W": 9, "F": 0}[letter] for letter in expected]


def test_windows_follow_the_layers_without_positions_where_a_rule_says_so():
    given = rules(windows=windows(without_positions=True), positions=POSITIONS)
    found = by_layer(given, {"w": 9, "e": 3}, 6)
    assert marks(found, "window", {9: "W", None: "F"}) == "FFWFFW"
    assert marks(found, "rotary_share", {0.0: "-", None: "R"}) == "RR-RR-"
    assert layer_windows(given, {"w": 9, "e": 3}, 6) == [0, 0, 9, 0, 0, 9]


@pytest.mark.parametrize(
    ("rule", "width"),
    [(windows(centred=True), 9), (windows(centred="c"), 9), (windows(centred="d"), 8), (windows(), 8)],
)
def test_a_window_to_both_sides_has_the_token_itself_beside_two_halves(rule, width):
    assert layer_windows(rules(windows=rule), {"w": 8, "c": True}, 1) == [width]


def test_what_else_is_said_of_layers_with_windows_and_without():
    rule = windows(every=2, chunked=True, full={"heads": "=big", "head_dim": 5})
    window, full = by_layer(rules(windows=rule), {"w": 8, "big": 3}, 2)
    assert window == {"window": 8, "chunked": True}
    assert full == {"heads": 3, "head_dim": 5}
    assert by_layer(rules(windows=rule), {"w": None}, 2) == [{}, {}]  # without windows none of its layers is special


def kinds(**given):
    return layer_rules.Kinds(listed="l", last="a", others="b", changes={"a": {"x": 1}, "b": {"x": 2}}, **given)


OF_KINDS = [
    (kinds(), {"l": ["a", "b", "b", "a"]}, "abba"),
    (kinds(older={"A": "a"}), {"l": ["A", "b", "b", "A"]}, "abba"),
    (kinds(pattern="p.q", letters={"*": "a", "0": "b"}), {"p": {"q": "*00*"}}, "abba"),
    (kinds(pattern="p", letters={"1": "a", "0": "b"}), {"p": [0, 1, 1, 0]}, "baab"),
    (kinds(pattern="p", numbers="n"), {"n": [1, 3]}, "baba"),
    (kinds(every=2), {}, "baba"),
    (kinds(every=3, first_too=True), {}, "abab"),
    (kinds(every=3, every_key="e"), {"e": 2}, "baba"),
    (kinds(every=3, every_key="e"), {}, "bbab"),
    (kinds(every=3, offset_key="o"), {"o": 1}, "babb"),
    (kinds(every=3, offset_key="o"), {}, "abba"),
    (kinds(every=2, default=["b", "b", "a", "a"]), {}, "bbaa"),
]


@pytest.mark.parametrize(("rule", "config", "expected"), OF_KINDS)
def test_layers_of_several_kinds(rule, config, expected):
    assert marks(by_layer(rules(kinds=rule), config, 4), "x", {1: "a", 2: "b"}) == expected


@pytest.mark.parametrize(
    ("rule", "config", "count"),
    [
        (None, {"l": [1]}, None), (kinds(), {"l": ["a"] * 5}, None), (kinds(counts=True), {"l": ["a"] * 5}, 5),
        (kinds(counts=True, pattern="p"), {"p": "abc"}, 3), (kinds(counts=True, default=["a"] * 7), {}, 7),
        (kinds(counts=True), {"l": 4}, None),
    ],
)  # fmt: skip
def test_a_list_says_how_many_layers_there_are_where_a_type_counts_so(rule, config, count):
    assert listed_layers(rule, config) == count


INDEXERS = layer_rules.Indexers(
    listed="l", full="full", pattern="p", every="e", offset="o", offset_default=3, without={"indexer.heads": 0}
)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"l": ["full", "shared", "full", "shared", "full", "shared"], "e": 5}, "I-I-I-"),
        ({"p": "FSSFSF", "e": 5}, "I--I-I"),
        ({"p": ["full", "no", "F", "no", "no", "no"]}, "I-I---"),
        ({"e": 2}, "III-I-"),  # max(i - 2, 0) of layer i: 0 0 0 1 2 3; those that 2 divides
        ({"e": 2, "o": 1}, "I-I-I-"),
        ({}, "IIIIII"),
    ],
)
def test_layers_with_an_indexer(config, expected):
    found = by_layer(rules(indexers=INDEXERS), config, 6)
    assert ["-" if change == {"indexer": {"heads": 0}} else "I" for change in found] == list(expected)


def test_layers_that_read_the_caches_of_others():
    rule = layer_rules.SharedCaches(last="n", wide="wide")
    found = by_layer(rules(shared_caches=rule), {"n": 2, "wide": True, "intermediate_size": 10}, 5)
    assert found == [{}, {}, {}, {"kv_shared": True, "ffn": 20}, {"kv_shared": True, "ffn": 20}]
    assert by_layer(rules(shared_caches=rule), {"n": 1}, 2) == [{}, {"kv_shared": True}]
    assert by_layer(rules(shared_caches=rule), {}, 2) == [{}, {}]


@pytest.mark.parametrize(
    ("config", "width"),
    [
        ({"a": 90}, 90), ({"a": 90, "b": 30}, 30), ({"a": 90, "on": True}, 60), ({"a": 100, "on": True}, 66),
        ({"a": 90, "on": True, "x": 1.5, "m": 16}, 96), ({"a": 90, "on": True, "x": 1.5}, 90), ({"on": True}, None),
        ({"a": 90, "on": True, "x": 1.6, "m": 16}, 96), ({"a": 90, "on": True, "x": 1.7}, 102),
    ],
)  # fmt: skip
def test_an_inner_width_that_is_computed(config, width):
    rule = layer_rules.Rounded(ffn=["a", "b"], over=[2, 3], factor="x", multiple="m", where="on")
    assert rounded_width(rule, config) == width


def test_layers_named_by_number_have_keys_of_their_own():
    given = rules(layer_keys={"size": "ffn", "h": "heads"})
    config = {"per_layer_config": {"1": {"size": 5}, 3: {"h": 2, "size": 6}}}
    assert by_layer(given, config, 4) == [{}, {"ffn": 5}, {}, {"heads": 2, "ffn": 6}]


def test_lists_that_name_further_layers_too_are_cut_to_those_of_the_model():
    given = rules(kinds=kinds(), further_layers="mtp")
    assert marks(by_layer(given, {"l": ["a", "b", "a"], "mtp": 1}, 2), "x", {1: "a", 2: "b"}) == "ab"
    with pytest.raises(PatternError):
        by_layer(given, {"l": ["a", "b", "a", "a"], "mtp": 1}, 2)


def test_a_share_of_rotary_positions_for_each_layer():
    given = rules(rotary_shares="s", positions=POSITIONS)
    found = by_layer(given, {"s": [0.5, 1.0, 0.25]}, 3)
    assert [change["rotary_share"] for change in found] == [0.5, 1.0, 0.25]


@pytest.mark.parametrize(
    ("given", "config", "key", "wrong", "expected"),
    [
        (rules(positions=POSITIONS), {"r": [1]}, "r", "does not list the layers", "0 or 1 for each of 2 layers"),
        (rules(positions=POSITIONS), {"r": "11"}, "r", "does not list the layers", "0 or 1 for each of 2 layers"),
        (rules(positions=POSITIONS), {"e": -1}, "e", "got -1", "a whole number"),
        (rules(positions=POSITIONS), {"e": "2"}, "e", "got '2'", "a whole number"),
        (rules(kinds=kinds()), {"l": ["a", "c"]}, "l", "unknown kind of layer 'c'", "one of a, b"),
        (rules(kinds=kinds()), {"l": ["a"]}, "l", "lists 1 layers", "a kind for each of 2 layers"),
        (rules(kinds=kinds()), {"l": "ab"}, "l", "lists no list", "a kind for each of 2 layers"),
        (rules(kinds=kinds(numbers="n")), {"n": [2]}, "n", "lists no layers of the model", "numbers from 0 to 1"),
        (rules(kinds=kinds(numbers="n")), {"n": 1}, "n", "lists no layers of the model", "numbers from 0 to 1"),
        (rules(mixtures=layer_rules.Mixtures(dense="d")), {"d": [-1]}, "d", "lists no layers of the model",
         "numbers from 0 to 1"),
        (rules(windows=windows()), {"layer_types": ["local", "global"]}, "w", "is missing",
         "the width of the windows of layer_types"),
        (rules(windows=windows(runs="r")), {"w": 3, "r": 5}, "r", "lists no kinds of layer",
         "lists of kinds and how often they repeat"),
        (rules(windows=windows()), {"w": 3, "layer_types": ["local", "far"]}, "layer_types",
         "unknown kind of layer 'far'",
         "one of chunked_attention, full_attention, global, local, sliding_attention"),
        (rules(layer_keys={"size": "ffn"}), {"per_layer_config": {"2": {"size": 1}}}, "per_layer_config",
         "describes other layers or keys", "layers from 0 to 1, each with size"),
        (rules(layer_keys={"size": "ffn"}), {"per_layer_config": {"1": {"wide": 1}}}, "per_layer_config",
         "describes other layers or keys", "layers from 0 to 1, each with size"),
    ],
)  # fmt: skip
def test_what_does_not_describe_the_layers_is_told_whole(given, config, key, wrong, expected):
    with pytest.raises(PatternError) as error:
        layer_groups(given, config, 2, True)
    assert (error.value.key, error.value.wrong, error.value.expected) == (key, wrong, expected)


@pytest.mark.parametrize(
    ("text", "config", "value"),
    [
        ("a", {"a": 3}, 3), ("a", {"a": "auto"}, None), ("a|b", {"a": "auto", "b": 4}, 4), ("a|b", {"b": 4}, 4),
        ("a+1", {"a": 3}, 4), ("a+1|b", {"b": 4}, 4), ("a+1|b", {"a": 3.5, "b": 4}, 4), ("a*b", {"a": 3, "b": 4}, 12),
        ("a*b/c", {"a": 3, "b": 5, "c": 4}, 4), ("a/c", {"a": 9, "c": 2}, 5), ("a/c", {"a": 8, "c": 2}, 4),
        ("a/c|d", {"a": 8, "d": 6}, 6), ("2*a", {"a": 5}, 10), ("a*b/4+1", {"a": 3, "b": 4}, 4),
        ("x.y", {"x": {"y": 7}}, 7), ("x.y|a", {"x": 3, "a": 2}, 2), ("a", {"a": 0.5}, 0.5), ("a*b", {"a": 2}, None),
    ],
)  # fmt: skip
def test_a_value_behind_an_equals_sign(text, config, value):
    assert changed({"k": f"={text}"}, config) == ({} if value is None else {"k": value})
    names = set(re.findall(r"[a-z][a-z.]*", text))
    assert layer_rules.keys_in(f"={text}") == {name.split(".")[0] for name in names}


def test_a_key_with_dots_is_found_inside():
    assert nested("x.y.z", {"x": {"y": {"z": 5}}}) == 5
    assert nested("x.y", {"x.y": 5}) is None
    assert nested("x.y", {"x": 4}) is None


RULES = [
    (windows(every_key=["n", "m"], where="on", after="a", before="b", listed="l", runs="r", full={"h": "=g*f/2"},
             centred="c"), "w n m on a b l r g f c"),
    (windows(centred=True, listed="l"), "w l"),
    (kinds(pattern="p.q", numbers="n", every_key="e.f", offset_key="o"), "l p n e o"),
    (layer_rules.Mixtures(listed="l", flags="g", first="f", step="n", offset="o", dense="d", sparse="m", start="s",
                          end="e", interval="i", changes={"x": "=y|z"}), "l g f n o d m s e i y z"),
    (POSITIONS, "r e"),
    (INDEXERS, "l p e o"),
    (layer_rules.Rounded(ffn=["a", "b"], over=[2, 3], factor="x", multiple="m", where="on"), "a b x m on"),
    (layer_rules.SharedCaches(last="n", wide="wide"), "n wide"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "expected"), RULES)
def test_a_rule_names_every_key_that_it_applies(rule, expected):
    assert rule.keys == set(expected.split())
