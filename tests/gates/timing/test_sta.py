"""Static timing by hand: slews, arrivals and the critical path of a hand-made library."""

import numpy as np
import pytest

from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.timing.sta import analyse
from tests.gates import clock_gate
from tests.gates import hand_made as hand

CLK, A, N, M, Q, OUT = 2, 3, 4, 5, 6, 7
CLOCK_NS = 0.02


@pytest.fixture
def library(tmp_path):
    return hand.library(tmp_path)


def circuit(library):
    """NAND(A=a, B=q) -> n -> INV -> m -> DFF -> q, and a buffer from n to the output."""
    cells = library.cells
    instances = [
        Instance("buf", cells["BUF"], {"A": N, "Y": OUT}),
        Instance("dff", cells["DFF"], {"D": M, "CK": CLK, "Q": Q}),
        Instance("inv", cells["INV"], {"A": N, "Y": M}),
        Instance("nand", cells["NAND"], {"A": A, "B": Q, "Y": N}),
    ]
    return Netlist("top", {"clk": [CLK], "a": [A]}, {"y": [OUT]}, instances)


def delay_ns(edge, load_ff, slew_ns):
    return hand.DELAY_NS[edge] + hand.DELAY_NS_PER_FF * load_ff + hand.DELAY_NS_PER_NS * slew_ns


def slew_ns(edge, load_ff):
    return hand.SLEW_NS[edge] + hand.SLEW_NS_PER_FF * load_ff


def from_q_or_a(loads, start, start_slews):
    """Arrival of each edge at n and m, given those before the NAND."""
    opposite = {"rise": "fall", "fall": "rise"}
    n = {edge: start[opposite[edge]] + delay_ns(edge, loads[N], start_slews[opposite[edge]]) for edge in opposite}
    m = {edge: n[opposite[edge]] + delay_ns(edge, loads[M], slew_ns(opposite[edge], loads[N])) for edge in opposite}
    return n, m


@pytest.mark.parametrize("wired", [False, True])
def test_delays_are_what_is_worked_out_by_hand(library, wired):
    wires = library.wire_load(100.0, 10) if wired else None
    loads = {Q: 3.0, N: 2.0, M: 1.5, OUT: 0.0}
    if wired:  # n has two sinks, the output none
        one = hand.WIRE_FF_PER_UM * hand.WIRE_UM
        loads = {Q: 3.0 + one, N: 2.0 + one + hand.WIRE_FF_PER_UM * hand.WIRE_SLOPE_UM, M: 1.5 + one, OUT: 0.0}
    q = {edge: delay_ns(edge, loads[Q], CLOCK_NS) for edge in ("rise", "fall")}
    q_slews = {edge: slew_ns(edge, loads[Q]) for edge in q}
    n, m = from_q_or_a(loads, q, q_slews)
    inputs, clock = dict.fromkeys(q, 0.0), dict.fromkeys(q, CLOCK_NS)
    n_in, m_in = from_q_or_a(loads, inputs, clock)
    analysis = analyse(circuit(library), library, {CLK}, wires, CLOCK_NS)
    timing = analysis.timing
    assert timing.period_ns == pytest.approx(max(m[edge] + hand.SETUP_NS[edge] for edge in m))
    assert timing.input_ns == pytest.approx(max(m_in[edge] + hand.SETUP_NS[edge] for edge in m))

    def leaves(n):
        return max(n[edge] + delay_ns(edge, 0.0, slew_ns(edge, loads[N])) for edge in n)

    assert timing.output_ns == pytest.approx(leaves(n))
    assert timing.through_ns == pytest.approx(leaves(n_in))
    assert timing.path == ("DFF/Q", "NAND/Y", "INV/Y")
    assert timing.instances == (1, 3, 2)
    for net, load in loads.items():
        assert analysis.load_ff[net] == pytest.approx(load)
        assert analysis.slew_ns[:, net] == pytest.approx([slew_ns("rise", load), slew_ns("fall", load)])
    assert analysis.slew_ns[:, A] == pytest.approx([CLOCK_NS] * 2)


PER_DATA, PER_CLOCK = {"rise": 6.0, "fall": -4.0}, {"rise": 1.5, "fall": 2.5}  # ns of set-up a ns of slew


def of_slews(edge):
    """Return a set-up table that is linear in the slews of data and clock."""
    rows = [
        ", ".join(
            f"{hand.SETUP_NS[edge] + PER_DATA[edge] * data + PER_CLOCK[edge] * clock:.12g}" for clock in (0.01, 0.04)
        )
        for data in (0.01, 0.05)
    ]
    return f'{edge}_constraint (slews) {{ values ("{rows[0]}", "{rows[1]}"); }}'


def test_a_set_up_time_is_that_of_the_data_s_own_edge_at_its_slew_and_the_clock_s(tmp_path):
    content = hand.text()
    for edge in PER_DATA:
        scalar = f'{edge}_constraint (scalar) {{ values ("{hand.SETUP_NS[edge]:.12g}"); }}'
        assert content.count(scalar) == 1
        content = content.replace(scalar, of_slews(edge))
    template = """lu_table_template (slews) {
      variable_1 : constrained_pin_transition; variable_2 : related_pin_transition;
      index_1 ("0.01, 0.05"); index_2 ("0.01, 0.04"); }
    """
    content = content.replace("  lu_table_template", f"  {template}  lu_table_template", 1)
    library = hand.library(tmp_path, content=content)
    loads = {Q: 3.0, N: 2.0, M: 1.5}
    q = {edge: delay_ns(edge, loads[Q], CLOCK_NS) for edge in PER_DATA}
    q_slews = {edge: slew_ns(edge, loads[Q]) for edge in PER_DATA}
    _, m = from_q_or_a(loads, q, q_slews)
    _, m_in = from_q_or_a(loads, dict.fromkeys(q, 0.0), dict.fromkeys(q, CLOCK_NS))
    setup = {
        edge: hand.SETUP_NS[edge] + PER_DATA[edge] * slew_ns(edge, loads[M]) + PER_CLOCK[edge] * CLOCK_NS for edge in q
    }
    timing = analyse(circuit(library), library, {CLK}, None, CLOCK_NS).timing
    assert timing.period_ns == pytest.approx(max(m[edge] + setup[edge] for edge in m))
    assert timing.input_ns == pytest.approx(max(m_in[edge] + setup[edge] for edge in m))


@pytest.mark.parametrize(("stated", "slew"), [(0.0, 0.0), (0.03, 0.03), (None, hand.SLEWS_NS[2])])
def test_inputs_have_the_slew_that_is_stated_also_if_it_is_zero(library, stated, slew):
    found = analyse(circuit(library), library, {CLK}, None, stated)
    assert found.slew_ns[:, A] == pytest.approx([slew] * 2)
    n_in, _ = from_q_or_a({N: 2.0, M: 1.5}, dict.fromkeys(("rise", "fall"), 0.0), dict.fromkeys(("rise", "fall"), slew))
    leaves = max(n_in[edge] + delay_ns(edge, 0.0, slew_ns(edge, 2.0)) for edge in n_in)
    assert found.timing.through_ns == pytest.approx(leaves)


def test_the_typical_slew_is_the_third_of_the_library_s_axis(library):
    assert library.slew_ns == pytest.approx(hand.SLEWS_NS[2])


def test_a_netlist_without_registers_has_a_path_through_and_no_period(library):
    cells = library.cells
    chain = [Instance("one", cells["INV"], {"A": A, "Y": N}), Instance("two", cells["BUF"], {"A": N, "Y": OUT})]
    timing = analyse(Netlist("top", {"a": [A]}, {"y": [OUT]}, chain), library, set(), None, CLOCK_NS).timing
    assert np.isnan(timing.period_ns)
    assert np.isnan(timing.output_ns)
    falls = delay_ns("rise", 1.0, CLOCK_NS) + delay_ns("rise", 0.0, slew_ns("rise", 1.0))
    assert timing.through_ns == pytest.approx(falls)
    assert timing.path == ("INV/Y", "BUF/Y")


@pytest.mark.parametrize("first", ["rise", "fall"])
@pytest.mark.parametrize(
    ("sense", "turns"),
    [
        ("positive_unate", {("rise", "rise"), ("fall", "fall")}),
        ("negative_unate", {("rise", "fall"), ("fall", "rise")}),
        ("non_unate", {("rise", "rise"), ("rise", "fall"), ("fall", "rise"), ("fall", "fall")}),
    ],
)
def test_edges_go_through_a_gate_as_its_sense_says(tmp_path, monkeypatch, sense, turns, first):
    """An inverter whose one edge is late, then a gate of the sense, both of whose edges differ."""
    monkeypatch.setitem(hand.DELAY_NS, first, 0.2)
    library = hand.library(tmp_path, content=hand.text().replace("positive_unate", sense))
    cells = library.cells
    chain = [Instance("one", cells["INV"], {"A": A, "Y": N}), Instance("two", cells["BUF"], {"A": N, "Y": OUT})]
    timing = analyse(Netlist("top", {"a": [A]}, {"y": [OUT]}, chain), library, set(), None, CLOCK_NS).timing
    arrivals = {edge: delay_ns(edge, 1.0, CLOCK_NS) for edge in ("rise", "fall")}
    leaves = [arrivals[edge] + delay_ns(after, 0.0, slew_ns(edge, 1.0)) for edge, after in turns]
    assert timing.through_ns == pytest.approx(max(leaves))


def test_a_combinational_loop_is_refused(library):
    inverter = library.cells["INV"]
    ring = [Instance("one", inverter, {"A": N, "Y": M}), Instance("two", inverter, {"A": M, "Y": N})]
    with pytest.raises(ValueError, match="loop"):
        analyse(Netlist("top", {}, {}, ring), library, set())


OTHER_CONSTRAINTS = ("hold_rising", "setup_falling", "recovery_rising")


@pytest.mark.parametrize("gate_ns", [0.2, 0.001])
def test_a_path_may_end_at_the_enable_of_a_clock_gate(tmp_path, gate_ns):
    """A register gives an inverter's input and the enable; the longer of the two paths bounds the period."""
    tables = "".join(f'{edge}_constraint (scalar) {{ values ("{gate_ns}"); }}' for edge in ("rise", "fall"))
    setup = f'timing () {{ related_pin : "CK"; timing_type : setup_rising; {tables} }}'
    late = "".join(setup.replace("setup_rising", kind).replace(str(gate_ns), "7.0") for kind in OTHER_CONSTRAINTS)
    gate = clock_gate.cell().replace("clock_gate_enable_pin : true;", f"clock_gate_enable_pin : true; {setup} {late}")
    library = hand.library(tmp_path, content=hand.text().rstrip().removesuffix("}") + gate + "}\n")
    cells = library.cells
    instances = [
        Instance("gate", cells["ICG"], {"CK": CLK, "E": Q, "GCK": OUT}),
        Instance("inv", cells["INV"], {"A": Q, "Y": M}),
        Instance("one", cells["DFF"], {"D": A, "CK": CLK, "Q": Q}),
        Instance("two", cells["DFF"], {"D": M, "CK": OUT, "Q": N}),
    ]
    netlist = Netlist("top", {"clk": [CLK], "a": [A]}, {"y": [N]}, instances)
    load_ff = clock_gate.ENABLE_FF + hand.CAPACITANCE_FF["INV/A"]
    q = {edge: delay_ns(edge, load_ff, CLOCK_NS) for edge in ("rise", "fall")}
    opposite = {"rise": "fall", "fall": "rise"}
    m = {
        edge: q[opposite[edge]] + delay_ns(edge, hand.CAPACITANCE_FF["DFF/D"], slew_ns(opposite[edge], load_ff))
        for edge in q
    }
    ends = {"gate": max(q.values()) + gate_ns, "two": max(m[edge] + hand.SETUP_NS[edge] for edge in m)}
    timing = analyse(netlist, library, {CLK, OUT}, None, CLOCK_NS).timing
    assert timing.period_ns == pytest.approx(max(ends.values()))
    assert timing.path == (("DFF/Q",) if ends["gate"] > ends["two"] else ("DFF/Q", "INV/Y"))
    assert (gate_ns > 0.1) == (ends["gate"] > ends["two"])


@pytest.mark.parametrize("slower", "AB")
def test_the_slowest_slew_into_a_net_counts_whichever_input_it_is_from(tmp_path, slower):
    slow = {
        edge: hand._table(f"{edge}_transition", hand.USUAL, 1.0, 0.3, 0.0, hand.SLEW_NS_PER_FF) for edge in PER_DATA
    }
    before, after = hand.cells()["NAND"].split(f'timing () {{ related_pin : "{slower}"')
    for edge in PER_DATA:
        usual, slow = (
            hand._table(f"{edge}_transition", hand.USUAL, 1.0, base, 0.0, hand.SLEW_NS_PER_FF)
            for base in (hand.SLEW_NS[edge], 0.3)
        )
        assert usual in after
        after = after.replace(usual, slow, 1)
    text = hand.text().replace(hand.cells()["NAND"], f'{before}timing () {{ related_pin : "{slower}"{after}')
    library = hand.library(tmp_path, content=text)
    found = analyse(circuit(library), library, {CLK}, None, CLOCK_NS).slew_ns[:, N]
    assert found == pytest.approx([0.3 + hand.SLEW_NS_PER_FF * 2.0] * 2)


@pytest.mark.parametrize("longest", [0, 1, 2])
def test_the_path_through_a_netlist_without_registers_is_that_to_its_latest_output(library, longest):
    """Three outputs behind chains of inverters, one of which is longer than the others."""
    inverter, instances, outputs = library.cells["INV"], [], []
    for place in range(3):
        net = A
        for step in range(3 if place == longest else 1):
            out = 10 + 10 * place + step
            instances.append(Instance(f"i{out}", inverter, {"A": net, "Y": out}))
            net = out
        outputs.append(net)
    timing = analyse(Netlist("top", {"a": [A]}, {"y": outputs}, instances), library, set(), None, CLOCK_NS).timing
    assert timing.path == ("INV/Y",) * 3
    expected = [f"i{10 + 10 * longest + step}" for step in range(3)]
    assert [instances[number].name for number in timing.instances] == expected


def test_the_path_that_bounds_the_period_begins_at_a_register_though_one_from_an_input_is_longer(library):
    cells = library.cells
    instances = [Instance(f"i{net}", cells["INV"], {"A": net, "Y": net + 1}) for net in range(10, 15)]
    instances += [
        Instance("one", cells["DFF"], {"D": 15, "CK": CLK, "Q": Q}),
        Instance("buf", cells["BUF"], {"A": Q, "Y": M}),
        Instance("two", cells["DFF"], {"D": M, "CK": CLK, "Q": N}),
    ]
    netlist = Netlist("top", {"clk": [CLK], "a": [10]}, {"y": [N]}, instances)
    timing = analyse(netlist, library, {CLK}, None, CLOCK_NS).timing
    assert timing.input_ns > timing.period_ns
    assert timing.path == ("DFF/Q", "BUF/Y")
