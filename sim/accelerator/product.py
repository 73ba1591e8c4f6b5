"""The product that a configuration's hardware has to compute, by NumPy."""

from typing import Any

from numpy.typing import NDArray

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.streams import trits_and_scales
from bitjoule.sim.reference.float_matmul import float_matmul
from bitjoule.sim.reference.fused_matmul import fused_matmul
from bitjoule.sim.reference.matmul import integer_matmul
from bitjoule.sim.reference.scaled_matmul import scaled_matmul


def expected_product(config: AcceleratorConfig, x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """Return the product of activations (M, K) and weights (K, N) as a configuration rounds it.

    Parameters
    ----------
    config
        The configuration.
    x, w
        Integers or, for ``fp16`` and where trits have scales (w is trit times scale), float16.
    """
    if config.scaled:
        return scaled_matmul(x, *trits_and_scales(config, w), config.lanes, group=config.lanes)
    if not config.floating_point:
        return integer_matmul(x, w)
    if config.rounding_tree:
        return float_matmul(x, w, config.lanes, config.accumulation)
    return fused_matmul(x, w, config.lanes)
