"""Other names for a design change names and order, and nothing else."""

import copy

import pytest

from bitjoule.gates.synthesis.names import rename

GATES = 6


def module():
    """Return and gates in a row between two ports, and a register with the last at its input."""
    bits = list(range(10, 10 + GATES))
    cells = {
        f"$and${place}": {
            "type": "$_AND_", "connections": {"A": [2], "B": [bits[place - 1] if place else "1"], "Y": [bits[place]]}
        }
        for place in range(GATES)
    }  # fmt: skip
    cells["core.sum_reg"] = {"type": "$_DFF_P_", "connections": {"C": [3], "D": [bits[-1]], "Q": [4]}}
    netnames = {f"$n{bit}": {"bits": [bit]} for bit in bits} | {"a": {"bits": [2]}, "core.sum": {"bits": [4]}}
    ports = {"a": {"bits": [2]}, "clk": {"bits": [3]}, "y": {"bits": [4]}}
    return {"ports": ports, "cells": cells, "netnames": netnames}


def row_of_gates(design):
    """Return the names of the gates from the register back to the constant."""
    driver = {cell["connections"]["Y"][0]: name for name, cell in design["cells"].items() if "Y" in cell["connections"]}
    net, names = design["cells"]["core.sum_reg"]["connections"]["D"][0], []
    while net != "1":
        names.append(driver[net])
        connections = design["cells"][driver[net]]["connections"]
        assert connections["A"] == design["ports"]["a"]["bits"] == design["netnames"]["a"]["bits"]
        net = connections["B"][0]
    return names


@pytest.mark.parametrize("seed", [1, 2, 10**9])
def test_a_renamed_design_is_the_same_design(seed):
    given, renamed = module(), module()
    rename(renamed, seed)
    assert len(row_of_gates(renamed)) == GATES
    assert not set(row_of_gates(renamed)) & set(given["cells"])
    register = renamed["cells"]["core.sum_reg"]["connections"]
    assert register["Q"] == renamed["ports"]["y"]["bits"] == renamed["netnames"]["core.sum"]["bits"]
    assert register["C"] == renamed["ports"]["clk"]["bits"]
    assert len(renamed["netnames"]) == len(given["netnames"])
    assert list(renamed["cells"].values()) != list(given["cells"].values())
    again = module()
    rename(again, seed)
    assert list(again["cells"].items()) == list(renamed["cells"].items())


def test_seeds_give_different_names_and_none_leaves_them():
    given = module()
    first, second, none = (copy.deepcopy(given) for _ in range(3))
    for design, seed in ((first, 1), (second, 2), (none, 0)):
        rename(design, seed)
    assert row_of_gates(first) != row_of_gates(second)
    assert list(none["cells"].items()) == list(given["cells"].items())
