"""The least and the greatest value that each key of the YAML files takes, and that no value beyond is taken."""

import math
from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError

from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.formats.storage import Storage
from bitjoule.energy_models.inputs.amounts import Band
from bitjoule.energy_models.prices.functions import Function
from bitjoule.energy_models.prices.measured import Conditions, MeasuredMac, MeasuredOperation, MeasuredTechnology
from bitjoule.energy_models.system.platform.array_schema import Accumulators, Array, Macs, Registers
from bitjoule.energy_models.system.platform.platforms import Buffer, Node, OffChip, Vector

SMALL, MANY, SIZE = 1 << 20, 10**7, 1 << 40
PRICE = 1e9
MORE = math.nextafter(0, 1)  # the least number above 0
BOUNDS = [
    *((ModelShape, key, 1, MANY) for key in ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "vocabulary")),
    *((ModelShape, key, 1, MANY) for key in ("experts", "active_experts")),
    (ModelShape, "learned_positions", 0, MANY),
    *((Function, key, 0, None) for key in ("mul", "add", "read", "write")),
    (Storage, "word_bits", 1, None),
    (Storage, "values", 1, None),
    (Storage, "group", 0, None),
    (Storage, "scale_bits", 0, None),
    *((Band, key, 0, PRICE) for key in ("low", "nominal", "high")),
    (Macs, "energy_pj", MORE, PRICE),
    (Registers, "weights", 1, SIZE),
    (Registers, "load_bits_per_cycle", 1e-6, PRICE),
    (Accumulators, "depth", 1, SIZE),
    (Accumulators, "bits", 1, 64),
    (Array, "lanes", 1, SMALL),
    (Array, "columns", 1, SMALL),
    (Array, "pipeline_cycles", 0, SIZE),
    (Array, "instances", 1, SMALL),
    *((Buffer, key, 1, SIZE) for key in ("size_bytes", "width_bits", "banks")),
    *((Buffer, key, 0, PRICE) for key in ("read_pj", "write_pj")),
    *((OffChip, key, 0, PRICE) for key in ("read_pj_per_bit", "write_pj_per_bit")),
    (OffChip, "bandwidth_gb_per_s", 1e-6, 1e9),
    (Vector, "lanes", 1, SIZE),
    (Node, "clock_mhz", 1e-3, 1e6),
    (MeasuredOperation, "area_um2", MORE, PRICE),
    (MeasuredOperation, "leakage_nw", 0, PRICE),
    (MeasuredOperation, "delay_ns", MORE, PRICE),
    (MeasuredMac, "lanes", 1, SMALL),
    (MeasuredMac, "columns", 1, SMALL),
    (MeasuredMac, "area_um2", MORE, PRICE),
    (MeasuredMac, "leakage_nw", 0, PRICE),
    (MeasuredMac, "period_ns", MORE, PRICE),
    (MeasuredMac, "worst_fit", 0, 1),
    (Conditions, "voltage_v", MORE, 100),
    (MeasuredTechnology, "node_nm", MORE, 1e4),
    (MeasuredTechnology, "zero_share", 0, 1),
    (MeasuredTechnology, "lanes", 1, SMALL),
    (MeasuredTechnology, "columns", 1, SMALL),
]


@pytest.mark.parametrize(
    ("model", "key", "least", "greatest"), BOUNDS, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_key_takes_its_bounds_and_nothing_beyond(model, key, least, greatest):
    field = model.model_fields[key]
    adapter = TypeAdapter(Annotated[field.annotation, *field.metadata])
    whole = isinstance(least, int) and isinstance(greatest, int | None) and greatest not in (1, 100)
    for bound, beyond in ((least, -math.inf), (greatest, math.inf)):
        if bound is None:
            continue
        assert adapter.validate_python(bound) == bound
        past = (
            bound + int(math.copysign(1, beyond))
            if whole and field.annotation is int
            else math.nextafter(bound, beyond)
        )
        with pytest.raises(ValidationError):
            adapter.validate_python(past)


@pytest.mark.parametrize(
    ("model", "key", "default"),
    [
        *((Function, key, 0) for key in ("mul", "add", "read", "write")),
        (Registers, "weights", 1),
        (Registers, "read_pj_per_bit", 0),
        (Registers, "write_pj_per_bit", 0),
        (Accumulators, "read_pj_per_bit", 0),
        (Accumulators, "write_pj_per_bit", 0),
        (Array, "pipeline_cycles", 0),
        (Buffer, "banks", 1),
        (Node, "leakage_w", 0),
        (Storage, "values", 1),
        (Storage, "group", 0),
        (Storage, "scale_bits", 0),
        (ModelShape, "learned_positions", 0),
        (ModelShape, "experts", 1),
        (ModelShape, "active_experts", 1),
        *((ModelShape, key, False) for key in ("tied_embedding", "qkv_bias", "output_bias", "ffn_bias")),
        *((ModelShape, key, False) for key in ("sub_norm", "post_norm", "qk_norm")),
    ],
)
def test_a_key_that_is_left_out_says_nothing_is_there(model, key, default):
    assert model.model_fields[key].default == default
