// Words of several columns side by side, with the operators of one: what Verilator writes for a column computes all.

#pragma once

#include <cstdint>
#include <cstring>

// How many words a vector holds: a power of two.
constexpr int side = BITJOULE_SIDE;

struct Lanes64;

// Where Verilator has 8, 16 or 32 bits it keeps those above its width zero, so that one type serves all three.
struct Lanes {
    typedef uint32_t Word __attribute__((vector_size(4 * side)));
    Word words;

    Lanes() = default;
    Lanes(Word from) : words(from) {}
    Lanes(uint32_t each) : words(Word{} + each) {}
    inline explicit Lanes(const Lanes64& from);

    void load(const uint32_t* from) { std::memcpy(&words, from, sizeof(words)); }
    void store(uint32_t* to) const { std::memcpy(to, &words, sizeof(words)); }
};

inline Lanes operator~(Lanes a) { return ~a.words; }
inline Lanes operator-(Lanes a) { return -a.words; }
inline Lanes operator&(Lanes a, Lanes b) { return a.words & b.words; }
inline Lanes operator|(Lanes a, Lanes b) { return a.words | b.words; }
inline Lanes operator^(Lanes a, Lanes b) { return a.words ^ b.words; }
inline Lanes operator+(Lanes a, Lanes b) { return a.words + b.words; }
inline Lanes operator-(Lanes a, Lanes b) { return a.words - b.words; }
inline Lanes operator<<(Lanes a, uint32_t by) { return a.words << by; }
inline Lanes operator>>(Lanes a, uint32_t by) { return a.words >> by; }

struct Lanes64 {
    Lanes low, high;

    Lanes64() = default;
    Lanes64(Lanes from_low, Lanes from_high) : low(from_low), high(from_high) {}
    Lanes64(uint64_t each) : low(static_cast<uint32_t>(each)), high(static_cast<uint32_t>(each >> 32)) {}
    explicit Lanes64(Lanes from) : low(from), high(0U) {}
};

inline Lanes::Lanes(const Lanes64& from) : words(from.low.words) {}

inline Lanes64 operator~(Lanes64 a) { return {~a.low, ~a.high}; }
inline Lanes64 operator&(Lanes64 a, Lanes64 b) { return {a.low & b.low, a.high & b.high}; }
inline Lanes64 operator|(Lanes64 a, Lanes64 b) { return {a.low | b.low, a.high | b.high}; }
inline Lanes64 operator^(Lanes64 a, Lanes64 b) { return {a.low ^ b.low, a.high ^ b.high}; }
inline Lanes64 operator<<(Lanes64 a, uint32_t by) {
    if (by == 0) return a;
    if (by >= 32) return {0U, a.low << (by - 32)};
    return {a.low << by, a.high << by | a.low >> (32 - by)};
}
inline Lanes64 operator>>(Lanes64 a, uint32_t by) {
    if (by == 0) return a;
    if (by >= 32) return {a.high >> (by - 32), 0U};
    return {a.low >> by | a.high << (32 - by), a.high >> by};
}
