// The configuration's numbers: the macros BITJOULE_* come from `sim/native_build.py`.

#pragma once

#include <cstddef>
#include <cstdint>

constexpr int64_t lanes = BITJOULE_LANES;
constexpr int64_t columns = BITJOULE_COLUMNS;
constexpr int64_t block = BITJOULE_TOKENS;
constexpr int64_t tile_beats = BITJOULE_TILE_BEATS;
constexpr size_t weight_bytes = BITJOULE_WEIGHT_BYTES;
constexpr size_t activation_bytes = BITJOULE_ACTIVATION_BYTES;
constexpr size_t result_bytes = BITJOULE_RESULT_BYTES;
#ifdef BITJOULE_VALUE_LANES  // of a whole BitLinear
constexpr int64_t value_lanes = BITJOULE_VALUE_LANES;
constexpr size_t value_bytes = BITJOULE_VALUE_BYTES;
constexpr size_t command_bytes = BITJOULE_COMMAND_BYTES;
#endif
constexpr int code_trits = BITJOULE_CODE_TRITS;
constexpr int code_bits = BITJOULE_CODE_BITS;

inline int64_t tiles_of(int64_t size, int64_t tile) { return (size + tile - 1) / tile; }
