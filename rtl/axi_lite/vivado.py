"""A Tcl script that builds a Vivado project of the accelerator with registers, its DMAs and the processors."""

from importlib.resources import files

from bitjoule.rtl.axi_lite.register_map import Config, padded_bits, stream_bits
from bitjoule.rtl.axi_lite.top import TOP


def vivado_script(config: Config, name: str) -> str:
    """Return the script; it has not been run in Vivado.

    Parameters
    ----------
    config
        The configuration.
    name
        Of the Verilog file and of the script, without their endings.

    Raises
    ------
    ConfigError
        A stream is wider than a DMA carries.
    """
    bits = {stream: padded_bits(count) for stream, count in stream_bits(config).items()}
    results = bits.pop("results")
    filled = {
        "NAME": name,
        "VERILOG": f"{name}.v",
        "TOP": TOP,
        "INPUTS": " ".join(f"{stream} {count}" for stream, count in bits.items()),
        "RESULTS_BITS": str(results),
    }
    text = (files(__package__) / "files" / "vivado.tcl.in").read_text(encoding="utf-8")
    for key, value in filled.items():
        text = text.replace(f"@{key}@", value)
    return text
