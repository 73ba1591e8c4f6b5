"""What is claimed of decoders, dot products and columns, for all inputs."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from bitjoule.rtl.arithmetic import alignment, column
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.encodings import ENCODINGS, Encoding
from bitjoule.rtl.operands import prepared_activations
from bitjoule.rtl.weights import decode, decode_signs
from tests.rtl.formal import Proof


def small(**values: Any) -> AcceleratorConfig:
    """Return a configuration smaller than `AcceleratorConfig` lets users have."""
    config = object.__new__(AcceleratorConfig)
    defaults = {"tokens": 1, "activation_bits": 2, "weight_encoding": "ternary2", "pipeline": 0}
    sizes = {"lanes": 2, "columns": 1, "max_k": 5, "weight_bus_bits": 8, "datapath": "carry_save"}
    vars(config).update(defaults | sizes | values)
    return config


def specified(config: AcceleratorConfig, plus: Value, minus: Value, activations: Value) -> Value:
    """Return the sum of trit times activation; both select lines mean zero, as none does."""
    bits, group = config.activation_bits, 3 if config.datapath in ("carry_save", "lookup_table") else 2
    first = config.group_lanes if config.group_lanes > 1 else group
    terms: list[Value] = []
    for lane in range(config.lanes):
        x = activations[lane * bits : (lane + 1) * bits].as_signed()
        terms.append(Mux(plus[lane] == minus[lane], 0, Mux(plus[lane], x, -x)))
    while len(terms) > 1:  # in any order; in the hardware's, the solver is several times faster
        whole = len(terms) // first * first if len(terms) >= first else len(terms)
        sums = [sum(terms[i + 1 : i + first], terms[i]) for i in range(0, whole, first)]
        terms, first = sums + terms[whole:], group
    return terms[0]


def by_table(m: Module, encoding: Encoding, word: Value) -> list[Value]:
    """Return the trits of a code word by the encoding's table."""
    trits = [Signal(range(-1, 2)) for _ in range(encoding.trits)]
    with m.Switch(word):
        for code, values in enumerate(encoding.decoded):
            with m.Case(code):
                m.d.comb += [trit.eq(value) for trit, value in zip(trits, values, strict=True)]
    return list(trits)


def decoder(name: str) -> Proof:
    proof = Proof()
    encoding = ENCODINGS[name]
    word = proof.free("word", encoding.bits)
    plus, minus = decode(name, word)
    proof.show("plus", Cat(*plus))
    proof.show("minus", Cat(*minus))
    for i, trit in enumerate(by_table(proof.m, encoding, word)):
        proof.claim(f"trit {i}", ((plus[i] & ~minus[i]) == (trit == 1)) & ((minus[i] & ~plus[i]) == (trit == -1)))
    return proof


def decoder_of_signs() -> Proof:
    proof = Proof()
    encoding = ENCODINGS["ternary5"]
    word = proof.free("word", encoding.bits)
    nonzero, negative = decode_signs(word)
    proof.show("nonzero", Cat(*nonzero))
    proof.show("negative", Cat(*negative))
    for i, trit in enumerate(by_table(proof.m, encoding, word)):
        proof.claim(f"trit {i} is not zero", nonzero[i] == (trit != 0))
        proof.claim(f"trit {i} is negative", (trit == 0) | (negative[i] == (trit == -1)))
    return proof


def operands(proof: Proof, config: AcceleratorConfig, dut: Any) -> list[Value]:
    """Return any trits that the encoding has, and any activations; `dut` gets the activations as columns take them."""
    plus = proof.free("plus", config.lanes)
    minus = proof.free("minus", config.lanes) if config.encoding.zero else ~plus
    activations = proof.free("activations", config.lanes * config.activation_bits)
    lanes = [activations.word_select(lane, config.activation_bits) for lane in range(config.lanes)]
    prepared = prepared_activations(proof.m, config, lanes)
    proof.m.d.comb += [dut.plus.eq(plus), dut.minus.eq(minus), dut.activations.eq(prepared)]
    return [plus, minus, activations]


def dot(config: AcceleratorConfig) -> Proof:
    proof = Proof()
    proof.m.submodules.dut = dut = column.DotProduct(config)
    inputs = operands(proof, config, dut)
    total = sum([*dut.words, *dut.unit_bits], Const(0))
    product = specified(config, *inputs)
    proof.show("total", total)
    proof.show("product", product)
    begun = proof.past(1, config.pipeline)  # the registers start with zeros, not with a lane's words of zero
    proof.claim("the dot product", ~begun | (total == proof.past(product, config.pipeline) + dut.offset))
    return proof


def integers(proof: Proof, config: AcceleratorConfig, dut: Any) -> Value:
    """Return the sum of the products of any weights and any activations; `dut` gets both as columns take them."""
    bits, weight_bits = config.activation_bits, config.encoding.bits
    weights = proof.free("weights", config.lanes * weight_bits)
    activations = proof.free("activations", config.lanes * bits)
    lanes = [activations.word_select(lane, bits) for lane in range(config.lanes)]
    prepared = prepared_activations(proof.m, config, lanes)
    proof.m.d.comb += [dut.weights.eq(weights), dut.activations.eq(prepared)]
    products = [weights.word_select(i, weight_bits).as_signed() * x.as_signed() for i, x in enumerate(lanes)]
    return sum(products[1:], products[0])


def integer_dot(config: AcceleratorConfig) -> Proof:
    proof = Proof(constant_registers=config.pipeline > 0)
    proof.m.submodules.dut = dut = column.IntegerDotProduct(config)
    product = integers(proof, config, dut)
    total = sum(dut.words, Const(0))
    proof.show("total", total)
    proof.show("product", product)
    begun = proof.past(1, config.pipeline)
    proof.claim("the dot product", ~begun | (total == proof.past(product, config.pipeline) + dut.offset))
    return proof


def integer_column(config: AcceleratorConfig) -> Proof:
    proof = Proof()
    proof.m.submodules.dut = dut = column.Column(config)
    product = integers(proof, config, dut)
    previous = proof.free("previous", config.accumulator_bits)
    proof.m.d.comb += dut.previous.eq(previous)
    proof.claim("the sum", dut.total == (previous + proof.past(product, config.pipeline))[: config.accumulator_bits])
    return proof


def alignment_of(lanes: int) -> Proof:
    """Activations aligned with shifts by variables, which the hardware does without."""
    proof = Proof()
    words = [proof.free(f"word{lane}", 16) for lane in range(lanes)]
    aligned = alignment.aligned(proof.m, words)
    fields = [Mux(word[10:15] == 0, 1, word[10:15]) for word in words]
    largest: Value = Const(0, 5)
    for field in fields:
        largest = Mux(field > largest, field, largest)
    for lane, (word, field) in enumerate(zip(words, fields, strict=True)):
        significand = Cat(Const(0, 14), word[:10], word[10:15] != 0)  # 13 places below, and one that rounds
        doubled = significand >> (largest - field).as_unsigned()
        rounded = (doubled + 1) >> 1
        expected = Mux(word[15], -rounded, rounded)[: alignment.ALIGNED_BITS]
        bits = aligned[lane * alignment.ALIGNED_BITS : (lane + 1) * alignment.ALIGNED_BITS]
        proof.claim(f"lane {lane}", bits == expected)
    shared = aligned[lanes * alignment.ALIGNED_BITS :]
    proof.claim("the largest exponent", shared[:-1] == largest)
    proof.claim("infinite or NaN", shared[-1] == Cat(*(word[10:15] == 31 for word in words)).any())
    return proof


def one_column(config: AcceleratorConfig) -> Proof:
    proof = Proof()
    proof.m.submodules.dut = dut = column.Column(config)
    inputs = operands(proof, config, dut)
    previous = proof.free("previous", config.accumulator_bits)
    proof.m.d.comb += dut.previous.eq(previous)
    product = specified(config, *inputs)
    proof.show("total", dut.total)
    proof.show("product", product)
    wanted = (previous + proof.past(product, config.pipeline))[: config.accumulator_bits]
    proof.claim("the sum", dut.total == wanted)
    return proof
