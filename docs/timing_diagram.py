"""Draws docs/timing.svg from a waveform that the bench recorded: ``python docs/timing_diagram.py [FILE.svg]``."""

import json
import sys
import tempfile
from pathlib import Path

import wavedrom
from vcdvcd import VCDVCD

from bitjoule.rtl.verilog import TOP
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.cycles import MatmulShape
from bitjoule.sim.bench.cases import Case
from bitjoule.sim.bench.verification import Hardware

CONFIGURATION = "tiny_8x4"
SHAPES = (MatmulShape(2, 16, 4), MatmulShape(1, 8, 4))
STREAMS = {"s_axis_command": "C", "s_axis_weights": "W", "s_axis_activations": "X", "m_axis_results": "Y"}


def recorded(folder: Path) -> list[dict[str, int]]:
    """Return the ports' values in each cycle of the case, reset left out.

    Parameters
    ----------
    folder
        Where the simulation may write.
    """
    hardware = Hardware(read_configuration(CONFIGURATION), folder, waves=True)
    report = hardware.verify([Case("for the diagram", SHAPES)])
    waveform = hardware.waveform()
    if report.failure or waveform is None:
        raise SystemExit(f"the simulation failed: {report.failure}")
    vcd = VCDVCD(str(waveform))
    names = [
        f"{stream}_{signal}"
        for stream in STREAMS
        for signal in ("tdata", "tvalid", "tready", "tlast")
        if not (stream.startswith("s_") and signal == "tlast")
    ]
    ports = {name: vcd[_full(vcd, name)] for name in ["rst", *names]}
    middles = [time for time, value in vcd[_full(vcd, "clk")].tv if value == "0" and time > 0]
    cycles = [{name: int(port[time], 2) for name, port in ports.items()} for time in middles]
    begin = next(i for i, cycle in enumerate(cycles) if cycle["s_axis_command_tvalid"])
    end = max(i for i, cycle in enumerate(cycles) if cycle["m_axis_results_tvalid"])
    return cycles[begin - 1 : end + 2]


def _full(vcd: VCDVCD, name: str) -> str:
    found: str = min((full for full in vcd.signals if full.split(".")[-1].split("[")[0] == name), key=len)
    return found


def wave(cycles: list[dict[str, int]]) -> dict[str, object]:
    """Return the waveform in WaveDrom's form; beats are numbered in the order in which they are taken.

    Parameters
    ----------
    cycles
        From `recorded`.
    """
    signals: list[object] = [{"name": "clk", "wave": "p" + "." * (len(cycles) - 1)}]
    for stream, letter in STREAMS.items():
        shown, labels, taken = "", [], 0
        fresh = True
        for cycle in cycles:
            if not cycle[f"{stream}_tvalid"]:
                shown += "x" if not shown or shown.rstrip(".")[-1] != "x" else "."
                continue
            shown += "=" if fresh else "."
            if fresh:
                labels.append(f"{letter}{taken}")
            fresh = bool(cycle[f"{stream}_tready"])
            taken += fresh
        signals += [{}, {"name": f"{stream}_tdata", "wave": shown, "data": labels}]
        for signal in ("tvalid", "tready", "tlast"):
            if f"{stream}_{signal}" in cycles[0]:
                values = [cycle[f"{stream}_{signal}"] for cycle in cycles]
                bits = [str(v) if i == 0 or v != values[i - 1] else "." for i, v in enumerate(values)]
                signals.append({"name": f"{stream}_{signal}", "wave": "".join(bits)})
    return {"signal": signals, "foot": {"tick": -1}, "config": {"hscale": 1}}


def main() -> None:
    """Draw the diagram."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("timing.svg")
    with tempfile.TemporaryDirectory() as folder:
        drawn = wave(recorded(Path(folder)))
    wavedrom.render(json.dumps(drawn)).saveas(target)
    print(f"{target} shows {TOP} as {CONFIGURATION}")


if __name__ == "__main__":
    main()
