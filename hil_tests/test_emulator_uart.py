"""The UART of the emulated chip: real time in both directions, errors, interrupts, faults."""

import pytest

from wattline.emulator.wire import Format

FRAME_NS = 10 * 1_000_000_000 // 9600
BIT_NS = 1_000_000_000 // 9600
OPEN = """
from machine import UART, Pin, mem32
import time
u = UART(0, 9600, tx=Pin(0), rx=Pin(1), {options})
"""
# Registers of UART0, without an interrupt in the way
DR, RSR, FR, CR, IMSC, RIS = (0x40034000 + n for n in (0, 4, 0x18, 0x30, 0x38, 0x3C))
TX, RX, RT, FE, PE, BE, OE = (1 << n for n in (5, 4, 6, 7, 8, 9, 10))


@pytest.fixture
def line(module):
    """UART0 at 9600 8N1 with MicroPython's driver, and what it sent."""
    return open_line(module)


def open_line(module, options=""):
    uart = module.uart[0]
    uart.seen, uart.errors = [], []
    uart.on_byte = lambda value, t_ns: uart.seen.append((value, t_ns))
    uart.on_error = lambda name, t_ns: uart.errors.append(name)
    module.exec(OPEN.format(options=options))
    return uart


def open_bare(module):
    """UART0 at 9600 8N1 with all its interrupts masked, so that nobody reads it."""
    line = open_line(module)
    module.exec(f"mem32[{IMSC}] = 0")
    return line


def values(line):
    return bytes(value for value, _ in line.seen)


def test_bytes_leave_one_frame_apart(module, line):
    module.exec("u.write(bytes(range(64)))")
    module.run_for_ns(100_000_000)
    assert values(line) == bytes(range(64))
    first_ns = line.seen[0][1]
    for number, (_, t_ns) in enumerate(line.seen):
        assert abs(t_ns - first_ns - number * 10e9 / 9600) < 2


def test_speed_is_that_of_the_usb_clock(line):
    assert abs(line.baud_rate - 9600) < 1


def test_core_idles_while_it_sends(module, line):
    module.exec("u.write(bytes(200))")
    before, start_ns = module.cycles, module.now_ns
    module.run_for_ns(220_000_000)
    share = (module.cycles - before) * 8 / (module.now_ns - start_ns)
    assert len(line.seen) == 200
    assert share < 0.01


def test_transmit_interrupt_comes_when_the_fifo_drains_past_its_level(module):
    open_bare(module)
    result = module.exec(
        f"""
mem32[0x40034034] = 0x12
seen = [mem32[{RIS}] & {TX}]
for n in range(33):
    mem32[{DR}] = n
seen.append(mem32[{RIS}] & {TX})
time.sleep_us({FRAME_NS // 1000 * 15})
seen.append(mem32[{RIS}] & {TX})
time.sleep_us({FRAME_NS // 1000 * 3})
seen.append(mem32[{RIS}] & {TX})
mem32[0x40034044] = {TX}
seen.append(mem32[{RIS}] & {TX})
time.sleep_ms(40)
seen.append(mem32[{RIS}] & {TX})
print(seen)
"""
    )
    # the level is 16 of 32; the first byte is in the shift register at once
    assert eval(result) == [0, 0, 0, TX, 0, 0]


def test_flags_tell_full_empty_and_busy(module):
    open_bare(module)
    result = module.exec(
        f"""
seen = [mem32[{FR}] & 0xF8]
mem32[{DR}] = 1
seen.append(mem32[{FR}] & 0xF8)
for n in range(32):
    mem32[{DR}] = n
seen.append(mem32[{FR}] & 0xF8)
time.sleep_ms(36)
seen.append(mem32[{FR}] & 0xF8)
print(seen)
"""
    )
    empty, busy, full = 0x90, 0x98, 0x38
    assert eval(result) == [empty, busy, full, empty]


def test_received_bytes_take_their_time(module, line):
    end_ns = line.send(bytes(range(20)), at_ns=module.now_ns + 30_000_000)
    assert module.exec("time.sleep_ms(20); print(u.any())") == "0\n"
    module.run_until_ns(end_ns - 2 * FRAME_NS)
    assert module.exec("time.sleep_ms(10); print(u.read())") == f"{bytes(range(20))!r}\n"


def test_33_unread_bytes_overrun(module):
    line = open_bare(module)
    module.run_until_ns(line.send(bytes(range(32))) + FRAME_NS)
    assert int(module.exec(f"print(mem32[{RIS}] & {OE})")) == 0
    module.run_until_ns(line.send(b"\xaa") + FRAME_NS)
    result = module.exec(
        f"print(mem32[{RIS}] & {OE}, [mem32[{DR}] & 0x8FF for n in range(33)], mem32[{RSR}])"
    )
    oe, rest = result.split(" ", 1)
    assert int(oe) == OE
    words = eval(rest[: rest.index("]") + 1])
    assert [word & 0xFF for word in words[:32]] == list(range(32))
    assert all(word & 0x800 for word in words[:32])
    module.run_until_ns(line.send(b"\x55") + FRAME_NS)
    assert int(module.exec(f"print(mem32[{DR}])")) == 0x55


def test_with_fifos_off_the_second_byte_overruns(module):
    line = open_bare(module)
    module.exec("mem32[0x4003402C] = 0x60")
    module.run_until_ns(line.send(b"\x01\x02") + FRAME_NS)
    assert module.exec(f"print(mem32[{DR}] & 0xFF, mem32[{RIS}] & {OE})") == f"1 {OE}\n"


def test_receive_interrupt_at_its_level_and_time_out_32_bits_after_the_last_byte(module):
    line = open_bare(module)
    module.exec("mem32[0x40034034] = 0x12")
    end_ns = line.send(bytes(16))
    bytes_in_ns = end_ns - BIT_NS // 2
    seen = {}

    def look(name, t_ns):
        module.schedule(t_ns, lambda: seen.update({name: line.read_uint32(0x3C)}))

    look("15 bytes", bytes_in_ns - FRAME_NS // 2)
    look("16 bytes", bytes_in_ns + 1000)
    look("31 bits", bytes_in_ns + 31 * BIT_NS)
    look("33 bits", bytes_in_ns + 33 * BIT_NS)
    module.run_until_ns(end_ns + 10_000_000)
    mask = RX | RT
    assert {name: raw & mask for name, raw in seen.items()} == {
        "15 bytes": 0,
        "16 bytes": RX,
        "31 bits": RX,
        "33 bits": RX | RT,
    }
    assert module.exec(f"n = [mem32[{DR}] for _ in range(16)]; print(mem32[{RIS}] & {mask})") == (
        "0\n"
    )


def test_rxidle_interrupt_reaches_python(module, line):
    module.exec(
        "idle = []\nu.irq(lambda u: idle.append((time.ticks_us(), u.read())), UART.IRQ_RXIDLE)"
    )
    end_ns = line.send(b"hello", at_ns=module.now_ns + 50_000_000)
    module.run_until_ns(end_ns + 50_000_000)
    t_us, data = eval(module.exec("print(idle[0])"))
    assert data == b"hello"
    late_us = t_us - (end_ns - BIT_NS // 2 + 32 * BIT_NS) // 1000
    assert 0 <= late_us < 500


def test_break_both_ways(module):
    line = open_bare(module)
    line.fault("break", nth=2)
    module.run_until_ns(line.send(b"a?b") + FRAME_NS)
    result = module.exec(f"print(mem32[{RIS}] & {BE}, [mem32[{DR}] for n in range(3)])")
    assert result == f"{BE} [97, 1280, 98]\n"
    module.exec("u.sendbreak(); u.write(b'z')")
    module.run_for_ns(50_000_000)
    assert line.errors == ["break"]
    assert values(line) == b"z"


def test_parity_and_stop_bit_are_checked(module):
    line = open_bare(module)
    module.exec(f"u.init(9600, bits=8, parity=0, stop=1); mem32[{IMSC}] = 0")
    line.line_format = Format(parity=0)
    module.run_until_ns(line.send(b"\x07") + FRAME_NS)
    line.line_format = Format(parity=1)
    module.run_until_ns(line.send(b"\x07") + FRAME_NS)
    line.line_format = Format(parity=0)
    line.fault("framing")
    module.run_until_ns(line.send(b"\x07") + 3 * FRAME_NS)
    assert module.exec(f"print([mem32[{DR}] & 0x7FF for n in range(3)])") == (
        f"[7, {0x207}, {0x107}]\n"
    )
    raw = int(module.exec(f"print(mem32[{RIS}])"))
    assert raw & (PE | FE) == PE | FE


def test_wrong_speed_makes_wrong_bytes(module, line):
    line.line_baud = 4800
    module.run_until_ns(line.send(b"UUUU") + FRAME_NS)
    assert module.exec("print(u.read())") != "b'UUUU'\n"
    line.seen.clear()
    module.exec("u.write(b'hello')")
    module.run_for_ns(50_000_000)
    assert values(line) != b"hello"


def test_two_percent_of_speed_do_no_harm(module, line):
    line.line_baud = 9600 * 102 // 100
    message = bytes(range(0, 256, 5))
    module.exec("u.init(rxbuf=128)")
    module.run_until_ns(line.send(message) + 5_000_000)
    assert eval(module.exec("print(u.read())")) == message


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("drop", 0, b"abd"),
        ("flip", 1, b"abad"),
        ("double", 0, b"abccd"),
        ("delay", 7_000_000, b"abcd"),
    ],
)
def test_faults_towards_the_chip(module, line, kind, value, read):
    plain_ns = 4 * FRAME_NS
    line.fault(kind, nth=3, value=value)
    start_ns = module.now_ns
    end_ns = line.send(b"abcd")
    module.run_until_ns(end_ns + 5_000_000)
    assert eval(module.exec("print(u.read())")) == read
    longer_ns = {"double": FRAME_NS, "delay": value}.get(kind, 0)
    assert abs(end_ns - start_ns - plain_ns - longer_ns) < 10


@pytest.mark.parametrize(
    ("kind", "seen", "errors"),
    [
        ("drop", b"ac", []),
        ("flip", b"acc", []),
        ("double", b"abbc", []),
        ("framing", b"ac", ["framing"]),
        ("break", b"ac", ["break"]),
    ],
)
def test_faults_from_the_chip(module, line, kind, seen, errors):
    line.fault(kind, "from_chip", nth=2)
    module.exec("u.write(b'abc')")
    module.run_for_ns(10_000_000)
    assert bytes(sorted(values(line))) == bytes(sorted(seen))
    assert line.errors == errors


def test_loop_back_stays_on_the_chip_s_own_time(module):
    open_bare(module)
    module.exec(f"mem32[{CR}] = mem32[{CR}] | 0x80; mem32[{DR}] = 0x5A")
    module.run_for_ns(2 * FRAME_NS)
    assert int(module.exec(f"print(mem32[{DR}] & 0xFF)")) == 0x5A


def test_dma_fills_and_drains_the_uart(module, line):
    module.exec(
        f"""
import rp2
mem32[{IMSC}] = 0
data, into = bytes(range(100)), bytearray(40)
out, inp = rp2.DMA(), rp2.DMA()
out.config(read=data, write={DR}, count=100, trigger=True,
           ctrl=out.pack_ctrl(size=0, inc_write=False, treq_sel=20))
inp.config(read={DR}, write=into, count=40, trigger=True,
           ctrl=inp.pack_ctrl(size=0, inc_read=False, treq_sel=21))
"""
    )
    line.send(bytes(range(60, 100)))
    module.run_for_ns(120_000_000)
    assert values(line) == bytes(range(100))
    assert eval(module.exec("print(bytes(into))")) == bytes(range(60, 100))


def test_reset_in_the_middle_of_a_byte_releases_the_line(module, line):
    module.exec("u.write(bytes(8))")
    module.reset()
    module.run_for_ns(200_000_000)
    before = len(line.seen)
    module.exec(OPEN.format(options="") + "u.write(b'ok')")
    module.run_for_ns(10_000_000)
    assert values(line)[before:] == b"ok"
