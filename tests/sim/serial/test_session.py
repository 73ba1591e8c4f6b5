"""Matmuls through the UART: the session of the host and the hardware, in Amaranth's simulator, against NumPy."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from bitjoule.gates.fpga.families import FAMILIES
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.serial import protocol
from bitjoule.rtl.serial.top import SerialAccelerator, serial_verilog
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.serial.session import SerialError, Session, multiply, reset
from tests.rtl.serial.line import Host

TINY = read_configuration("tiny_8x4")


def simulate(config, testbench, clocks_per_bit=4, rate=None):
    """Run ``testbench(host)``, a generator that yields once a cycle, with a host on the line of the hardware."""
    design = SerialAccelerator(config, clocks_per_bit)
    host = Host(rate or clocks_per_bit)

    async def process(ctx):
        for _ in testbench(host):
            ctx.set(design.rx, host.cycle(ctx.get(design.tx)))
            await ctx.tick()

    simulator = Simulator(design)
    simulator.add_clock(1e-6)
    simulator.add_testbench(process)
    simulator.run()


def run(session, host):
    """Carry a session over the line, a cycle at a time."""
    for _ in range(200_000):
        if session.done:
            return
        if host.idle:
            host.send(session.to_send())
        session.receive(bytes(host.received))
        host.received.clear()
        yield
    raise AssertionError("no end")


def ready(host):
    for _ in range(2000):
        if host.received:
            break
        yield
    assert host.received == bytes([protocol.READY])
    host.received.clear()


def operands(config, m, k, n, seed):
    random = np.random.default_rng(seed)
    low = -(1 << (config.activation_bits - 1))
    return random.integers(low, -low, (m, k), np.int8), random.integers(-1, 2, (k, n), np.int8)


@pytest.mark.parametrize(
    ("rate", "config"), [(4, TINY), (4.15, FAMILIES["ice40"].suited(TINY))], ids=["same_rate", "slow_host"]
)
def test_matmuls_equal_those_of_numpy_bit_for_bit(rate, config):
    """More tokens than a block, tails in K and N, two matmuls one behind the other; 4 % is what 8N1 allows."""

    def testbench(host):
        yield from ready(host)
        for seed, shape in enumerate([(5, 11, 6), (1, 8, 4)]):
            x, w = operands(config, *shape, seed)
            session = Session(config, x, w)
            yield from run(session, host)
            np.testing.assert_array_equal(session.product(), x.astype(np.int64) @ w)

    simulate(config, testbench, rate=rate)


def answer(host, expected, cycles=2000):
    """Wait for bytes of the device and compare them."""
    for _ in range(cycles):
        if len(host.received) >= len(expected):
            break
        yield
    assert bytes(host.received) == expected
    host.received.clear()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (bytes([len(protocol.STREAMS)]), protocol.UNKNOWN_HEADER),
        (protocol.frame("activations", bytes(8)) * 2, protocol.UNCONFIRMED),
    ],
    ids=["header", "unconfirmed"],
)
def test_after_an_error_nothing_works_until_a_break_and_everything_after_it(sent, reason):
    """Activations of no command stay where they are; the second beat would overwrite them."""

    def testbench(host):
        yield from ready(host)
        host.send(sent)
        yield from answer(host, bytes([protocol.FAILED | reason]))
        host.send(protocol.frame("command", bytes(8)))
        for _ in range(600):
            yield
        assert not host.received
        host.level(0, 11)
        host.level(1, 1)
        yield from ready(host)
        x, w = operands(TINY, 1, 9, 3, 5)
        session = Session(TINY, x, w)
        yield from run(session, host)
        np.testing.assert_array_equal(session.product(), x.astype(np.int64) @ w)

    simulate(TINY, testbench)


def test_a_byte_without_a_stop_bit_is_reported_and_is_no_break():
    def testbench(host):
        yield from ready(host)
        host.level(0, 2)
        for bit in (1, 0, 0, 0, 0, 0, 0):
            host.level(bit, 1)
        host.level(0, 1)
        host.level(1, 2)
        yield from answer(host, bytes([protocol.FAILED | protocol.FRAMING]))
        for _ in range(600):
            yield
        assert not host.received  # a break would be answered

    simulate(TINY, testbench)


def test_a_break_in_the_middle_of_a_matmul_is_recovered_from():
    """Weights and activations of the first are in the array and in registers; nothing of them is left."""

    def testbench(host):
        yield from ready(host)
        x, w = operands(TINY, 3, 17, 5, 1)
        broken = Session(TINY, x, w)
        for _ in range(3000):
            if host.idle:
                host.send(broken.to_send())
            broken.receive(bytes(host.received))
            host.received.clear()
            yield
        assert not broken.done
        while not host.idle:
            yield
        host.level(0, 12)
        host.level(1, 20)
        while not host.idle:
            yield
        assert host.received[-1] == protocol.READY
        host.received.clear()
        x, w = operands(TINY, 2, 10, 4, 2)
        session = Session(TINY, x, w)
        yield from run(session, host)
        np.testing.assert_array_equal(session.product(), x.astype(np.int64) @ w)

    simulate(TINY, testbench)


def test_a_malformed_command_is_answered_and_the_next_is_computed():
    def testbench(host):
        yield from ready(host)
        host.send(protocol.frame("command", bytes(8)))
        result = bytes([protocol.TAKEN, protocol.RESULT | protocol.END | protocol.MALFORMED])
        for _ in range(3000):
            if len(host.received) == 2 + protocol.result_bytes(TINY):
                break
            yield
        assert bytes(host.received[:2]) == result
        session = Session(TINY, *operands(TINY, 1, 8, 4, 0))
        session.to_send()
        with pytest.raises(SerialError, match="calls the command malformed"):
            session.receive(bytes(host.received))
        host.received.clear()
        x, w = operands(TINY, 1, 8, 4, 3)
        session = Session(TINY, x, w)
        yield from run(session, host)
        np.testing.assert_array_equal(session.product(), x.astype(np.int64) @ w)

    simulate(TINY, testbench)


def test_an_array_whose_tile_is_one_beat_and_whose_results_are_bytes():
    """Its last beat of weights waits for activations, and results of 8 bits are the narrowest."""
    config = AcceleratorConfig(8, 5, 8, 64, tokens=1, activation_bits=3, weight_encoding="ternary5", pipeline=0)
    assert (config.tile_beats, config.result_bits) == (1, 8)

    def testbench(host):
        yield from ready(host)
        x, w = operands(config, 2, 8, 7, 4)
        session = Session(config, x, w)
        yield from run(session, host)
        np.testing.assert_array_equal(session.product(), x.astype(np.int64) @ w)

    simulate(config, testbench)


def test_too_few_cycles_per_bit_are_refused():
    with pytest.raises(ValueError, match="3 cycles per bit; expected at least 4"):
        serial_verilog(TINY, 3)


class Port:
    """A serial port behind which a NumPy matmul answers each frame, as the protocol has it."""

    def __init__(self, config, x, w, replies=None):
        self._config = config
        self._waiting = bytearray() if replies is None else bytearray(replies)
        self._silent = replies is not None
        self._sums = x.astype(np.int64) @ w
        self.sent = []

    def write(self, data):
        self.sent.append(bytes(data))
        if self._silent:
            return
        self._waiting.append(protocol.TAKEN + data[0])
        count = sum(frame[0] == protocol.STREAMS.index("activations") for frame in self.sent)
        if data[0] == protocol.STREAMS.index("activations") and count <= len(self._sums):
            end = protocol.END if count == len(self._sums) else 0
            self._waiting += bytes([protocol.RESULT | end]) + self._sums[count - 1].astype("<i2").tobytes()

    def read(self, size):
        data, self._waiting = bytes(self._waiting[:size]), self._waiting[size:]
        return data

    def send_break(self, _duration):
        self._waiting += bytes([0x55, protocol.READY])

    def reset_input_buffer(self):
        self._waiting.clear()


def test_multiply_speaks_to_a_port(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    x, w = operands(TINY, 3, 8, 4, 0)
    port = Port(TINY, x, w)
    reset(port)
    np.testing.assert_array_equal(multiply(port, TINY, x, w), x.astype(np.int64) @ w)
    assert [frame[0] for frame in port.sent] == [0, 1, 1, 2, 2, 2]
    assert port.sent[0] == bytes([0, 3, 0, 8, 0, 0, 4, 0, 0])


@pytest.mark.parametrize(
    ("replies", "message"),
    [
        ([], "no answer within the timeout"),
        ([protocol.FAILED | protocol.FRAMING], "no stop bit behind a byte"),
        ([protocol.READY], "the device was reset"),
        ([protocol.TAKEN + 2], "0x02, which is no header that belongs here"),
        ([0x55], "0x55, which is no header"),
        ([protocol.RESULT | protocol.END, *bytes(8)], "3 beats of results; its end is not there"),
    ],
)
def test_answers_that_do_not_belong_to_the_matmul_are_refused(replies, message):
    x, w = operands(TINY, 3, 8, 4, 0)
    with pytest.raises(SerialError, match=message):
        multiply(Port(TINY, x, w, replies), TINY, x, w)


def test_a_device_that_does_not_answer_a_break_is_reported(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    port = Port(TINY, *operands(TINY, 1, 8, 4, 0))
    monkeypatch.setattr(port, "send_break", lambda _: None)
    with pytest.raises(SerialError, match="no answer to a reset"):
        reset(port)
