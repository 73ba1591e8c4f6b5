"""Netlists in the cache: another netlist is made for all that decides it."""

import math
from dataclasses import replace

import pytest

from bitjoule.gates.synthesis import store
from bitjoule.gates.synthesis.flow import Goals
from bitjoule.gates.synthesis.store import stored_netlist
from bitjoule.gates.synthesis.yosys import Options
from tests.gates import hand_made as hand


def test_whatever_decides_a_netlist_is_in_its_name_in_the_cache(monkeypatch, tmp_path):
    def ask(name, _):
        raise LookupError(name)

    monkeypatch.setattr(store, "cached", ask)

    def name(changes):
        with pytest.raises(LookupError) as asked:
            stored_netlist(**usual | changes)
        return str(asked.value)

    (tmp_path / "other").mkdir()
    other = hand.library(tmp_path / "other", content=hand.text().replace("area : 1.5", "area : 1.6"))
    options, goals = Options(), Goals(math.nan, 0.5)
    usual = {
        "verilog": "module a; endmodule", "top": "a", "clock": "clk", "library": hand.library(tmp_path),
        "options": options, "goals": goals,
    }  # fmt: skip
    changes = [
        {"verilog": "module b; endmodule"},
        {"top": "b"},
        {"clock": None},
        {"library": other},
        {"options": replace(options, adder="kogge-stone")},
        {"options": replace(options, gating=options.gating + 1)},
        {"options": replace(options, tries=options.tries + 1)},
        {"goals": replace(goals, period_ns=1.0)},
        {"goals": replace(goals, share=0.25)},
    ]
    names = [name(change) for change in [{}, *changes]]
    assert len(set(names)) == len(names)
    assert name({}) == names[0]
