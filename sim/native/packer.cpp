// Packs weights into tiles, as sim/streams.py does, many times faster.

#include <cstdint>
#include <cstring>

#include "configuration.h"

namespace {

// Appends code words to a tile, the first in the lowest bits.
class Bits {
  public:
    explicit Bits(uint8_t* to) : to_(to) {}
    void add(uint64_t word, int count) {
        held_ |= word << count_;
        count_ += count;
        while (count_ >= 8) {
            *to_++ = static_cast<uint8_t>(held_);
            held_ >>= 8;
            count_ -= 8;
        }
    }
    void end() {
        if (count_ > 0) {
            *to_ = static_cast<uint8_t>(held_);
        }
    }

  private:
    uint8_t* to_;
    uint64_t held_ = 0;
    int count_ = 0;
};

constexpr bool swar = code_trits == 1 && code_bits == 2 && columns % 8 == 0;
constexpr uint64_t each = 0x0101010101010101;

// Eight trits -> eight two-bit codes, bit 0 plus, bit 1 minus; false where a byte is no trit.
bool eight_ternary2(const int8_t* trits, uint64_t& codes) {
    uint64_t x;
    std::memcpy(&x, trits, 8);
    const uint64_t minus = x >> 7 & each;
    const uint64_t plus = x & each & ~minus;
    if (x != plus + minus * 255) {
        return false;
    }
    uint64_t y = plus | minus << 1;
    y = (y | y >> 6) & 0x000F000F000F000F;
    y = (y | y >> 12) & 0x000000FF000000FF;
    codes = (y | y >> 24) & 0xFFFF;
    return true;
}

// `codes`: the code word by its trits' digits (trit + 1) to base three; above 255 where there is none.
struct Packer {
    const int8_t* weights;
    int64_t k, n;
    const uint16_t* codes;
    int8_t padding;

    bool group(int64_t row, int64_t first, int64_t last, uint64_t& code) const {
        int index = 0, digit = 1;
        for (int i = 0; i < code_trits; ++i, digit *= 3) {
            const int64_t column = first + i;
            const int trit = row < k && column < last ? weights[row * n + column] : padding;
            if (trit < -1 || trit > 1) {
                return false;
            }
            index += (trit + 1) * digit;
        }
        code = codes[index];
        return code < 256;
    }

    bool tile(int64_t first_k, int64_t first_n, uint8_t* to) const {
        const int64_t last = first_n + columns < n ? first_n + columns : n;
        Bits bits(to);
        uint64_t code;
        for (int64_t row = first_k; row < first_k + lanes; ++row) {
            if (swar && row < k && last == first_n + columns) {
                for (int64_t column = first_n; column < last; column += 8) {
                    if (!eight_ternary2(weights + row * n + column, code)) {
                        return false;
                    }
                    bits.add(code, 16);
                }
                continue;
            }
            for (int64_t column = first_n; column < first_n + columns; column += code_trits) {
                if (!group(row, column, last, code)) {
                    return false;
                }
                bits.add(code, code_bits);
            }
        }
        bits.end();
        return true;
    }
};

}  // namespace

extern "C" {

// Packs the tiles first..last-1 of K, of all tiles of N; returns whether every weight has a code. `to` holds zeros.
int bitjoule_pack(const int8_t* weights, int64_t k, int64_t n, const uint16_t* codes, int padding, int64_t first,
                  int64_t last, uint8_t* to) {
    const Packer packer{weights, k, n, codes, static_cast<int8_t>(padding)};
    const int64_t k_tiles = tiles_of(k, lanes), n_tiles = tiles_of(n, columns);
    for (int64_t tile_k = first; tile_k < last; ++tile_k) {
        for (int64_t tile_n = 0; tile_n < n_tiles; ++tile_n) {
            uint8_t* const tile = to + (tile_n * k_tiles + tile_k) * tile_beats * weight_bytes;
            if (!packer.tile(tile_k * lanes, tile_n * columns, tile)) {
                return 0;
            }
        }
    }
    return 1;
}
}
