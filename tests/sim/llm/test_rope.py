"""Rotary positions: each number of a config.json where it counts, against the formulas in float64."""

import math
from typing import Any

import numpy as np
import pytest

from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.sim.llm.rope import Bands, Rope, read_rope, rotary

LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.5, "high_freq_factor": 4.5}
DOCUMENT = parse_document("{}", "config.json")


def read(**config: Any) -> Rope:
    return read_rope(DOCUMENT, config, 500.0)


def test_frequencies_are_divided_by_the_factor_and_each_by_its_divisor() -> None:
    plain = 70.0 ** -(np.arange(3) / 3)
    np.testing.assert_allclose(Rope(70.0).frequencies(6), plain, rtol=1e-6)
    np.testing.assert_allclose(Rope(70.0, 4.0).frequencies(6), plain / 4, rtol=1e-6)
    found = Rope(70.0, 4.0, divisors=(1.0, 3.0, 5.0)).frequencies(6)
    np.testing.assert_allclose(found, plain / 4 / np.array([1, 3, 5]), rtol=1e-6)


def test_bands_slow_long_waves_alone_and_mix_those_between() -> None:
    rope = Rope(1e4, 8.0, Bands(2.0, 6.0, 64.0))
    plain = 1e4 ** -(np.arange(16) / 16)
    waves = 64 * plain / (2 * math.pi)
    share = (waves - 2) / 4
    expected = np.where(waves < 2, plain / 8, np.where(waves > 6, plain, (1 - share) * plain / 8 + share * plain))
    assert [int(part.sum()) for part in (waves < 2, waves > 6)] == [13, 1]
    np.testing.assert_allclose(rope.frequencies(32), expected, rtol=1e-5)


def test_angles_are_of_the_positions_from_the_first_one_on() -> None:
    frequencies = np.array([0.5, 0.01], np.float32)
    cosines, sines = rotary(3, 7, frequencies)
    angles = np.arange(7, 10)[:, None] * np.array([0.5, 0.01, 0.5, 0.01])
    np.testing.assert_allclose(cosines, np.cos(angles), rtol=1e-5)
    np.testing.assert_allclose(sines, np.sin(angles), rtol=1e-5)


@pytest.mark.parametrize("key", ["rope_parameters", "rope_scaling"])
@pytest.mark.parametrize(
    ("config", "values", "expected"),
    [
        ({}, None, Rope(500.0)),
        ({"rope_theta": 60.0}, None, Rope(60.0)),
        ({"rope_theta": 60.0}, {"rope_type": "default"}, Rope(60.0)),
        ({"rope_theta": 60.0}, {"rope_theta": 70.0, "partial_rotary_factor": 1}, Rope(70.0)),
        ({"rope_theta": 60.0}, {"type": "linear", "factor": 3.0}, Rope(60.0, 3.0)),
        ({}, {"rope_type": "linear", "type": "default", "factor": 3, "rope_theta": 70}, Rope(70.0, 3.0)),
        ({"max_position_embeddings": 99}, LLAMA3 | {"original_max_position_embeddings": 33},
         Rope(500.0, 8.0, Bands(1.5, 4.5, 33.0))),
        ({"max_position_embeddings": 99, "original_max_position_embeddings": 44}, LLAMA3,
         Rope(500.0, 8.0, Bands(1.5, 4.5, 44.0))),
        ({"max_position_embeddings": 99}, LLAMA3, Rope(500.0, 8.0, Bands(1.5, 4.5, 99.0))),
        ({"original_max_position_embeddings": 44}, LLAMA3 | {"original_max_position_embeddings": 44},
         Rope(500.0, 8.0, Bands(1.5, 4.5, 44.0))),
    ],
)  # fmt: skip
def test_each_number_is_read_from_where_it_is_written(
    key: str, config: dict[str, Any], values: dict[str, Any] | None, expected: Rope
) -> None:
    assert read(**config, **{} if values is None else {key: values}) == expected


def test_both_keys_may_be_written_if_they_say_the_same() -> None:
    values = {"rope_type": "linear", "factor": 3.0}
    assert read(rope_parameters=values, rope_scaling=values) == Rope(500.0, 3.0)
    assert read(rope_parameters=LLAMA3, max_position_embeddings=9, rope_scaling={}).bands == Bands(1.5, 4.5, 9.0)


POSITIVE = "a positive number below 1e+30"


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"rope_scaling": {"factor": 2.0, "rope_type": "yarn"}}, "rope_scaling: rope_type is 'yarn'; expected one of "
         "default, linear, llama3"),
        ({"rope_scaling": {"factors": 2.0}}, "rope_scaling: has the key 'factors'; expected one of factor, "
         "high_freq_factor, low_freq_factor, original_max_position_embeddings, partial_rotary_factor, rope_theta, "
         "rope_type, type"),
        ({"rope_scaling": {"partial_rotary_factor": 0.5}}, "rope_scaling: rotates only part of each head; expected "
         "partial_rotary_factor 1"),
        ({"rope_scaling": {"type": "linear"}}, f"rope_scaling: factor is missing; expected {POSITIVE}"),
        ({"rope_parameters": LLAMA3}, "rope_parameters: original_max_position_embeddings is missing; expected "
         + POSITIVE),
        ({"rope_parameters": LLAMA3 | {"low_freq_factor": 4.5}}, "rope_parameters: low_freq_factor is 4.5; expected "
         "less than high_freq_factor, 4.5"),
        ({"rope_parameters": LLAMA3 | {"low_freq_factor": 5.5}}, "rope_parameters: low_freq_factor is 5.5; expected "
         "less than high_freq_factor, 4.5"),
        ({"rope_parameters": LLAMA3 | {"original_max_position_embeddings": 33},
          "original_max_position_embeddings": 44, "max_position_embeddings": 99}, "rope_parameters: "
         "original_max_position_embeddings is 33; expected 44, as outside of rope_parameters"),
        ({"rope_parameters": {"rope_theta": 9.0}, "rope_scaling": {"rope_theta": 8.0}}, "rope_scaling: differs from "
         "rope_parameters; expected one of the two"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_told_with_its_key(config: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as error:
        read(**config)
    assert str(error.value) == f"config.json:1: {told}"
