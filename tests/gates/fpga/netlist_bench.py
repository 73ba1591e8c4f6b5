"""Runs inside a simulator: matmuls over the line of a netlist with a UART, and what comes back, written down."""

import json
import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.serial import protocol
from bitjoule.sim.serial.session import Session
from tests.rtl.serial.line import Host

MOST_CYCLES = 100_000


@cocotb.test()
async def multiply(dut: Any) -> None:
    """Carry one matmul after the other over the line."""
    folder = Path(os.environ["BITJOULE_FOLDER"])
    plan = json.loads((folder / "plan.json").read_text())
    with np.load(folder / "operands.npz") as given:
        operands = [(given[f"x{i}"], given[f"w{i}"]) for i in range(len(given) // 2)]
    host = Host(plan["clocks_per_bit"])

    async def cycle(reset: int = 0) -> None:
        dut.clk.value, dut.rst.value = 0, reset
        dut.rx.value = 1 if reset else int(host.cycle(int(dut.tx.value)))
        await Timer(1, "ns")
        dut.clk.value = 1
        await Timer(1, "ns")

    for _ in range(8):
        await cycle(reset=1)
    for _ in range(MOST_CYCLES):
        await cycle()
        if host.received:
            break
    assert host.received == bytes([protocol.READY])
    host.received.clear()
    products = []
    for x, w in operands:
        session = Session(AcceleratorConfig(**plan["config"]), x, w)
        for _ in range(MOST_CYCLES):
            if host.idle:
                host.send(session.to_send())
            await cycle()
            session.receive(bytes(host.received))
            host.received.clear()
            if session.done:
                break
        products.append(session.product())
    np.savez(folder / "products.npz", *products)
