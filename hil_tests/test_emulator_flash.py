"""Flash of the emulated module: real time, resets, power cuts, torn operations."""

import pytest

from wattline.emulator import Module
from wattline.emulator.flash import PROGRAM_NS, SECTOR_ERASE_NS

WRITE = "f = open('note.txt', 'w'); f.write({text!r}); f.close()"
READ = "print(open('note.txt').read())"
RAW = """
import rp2
area = rp2.Flash()
last = area.ioctl(4, 0) - 1
"""
PAGE = bytes(255 - n for n in range(256))


def test_files_survive_every_kind_of_reset(module):
    module.exec(WRITE.format(text="kept"))
    causes = {}
    module.reset()
    causes["run"] = module.exec(READ + "\nimport machine; print(machine.reset_cause())")
    module.start("import machine; machine.reset()")
    module.run_for_ns(50_000_000)
    causes["software"] = module.exec(READ + "\nimport machine; print(machine.reset_cause())")
    module.power_cut()
    module.run_for_ns(1_000_000_000)
    module.power_on()
    causes["power"] = module.exec(READ + "\nimport machine; print(machine.reset_cause())")
    power_on, watchdog = 1, 3
    assert causes == {
        "run": f"kept\n{power_on}\n",
        "software": f"kept\n{watchdog}\n",
        "power": f"kept\n{power_on}\n",
    }


def test_hardware_watchdog_resets_in_time(module):
    module.exec("import machine; dog = machine.WDT(timeout=300)")
    causes = []
    module.on_reset = lambda cause: causes.append((cause, module.now_ns))
    started_ns = module.now_ns
    module.run_for_ns(400_000_000)
    ((cause, t_ns),) = causes
    assert cause == "watchdog"
    assert abs(t_ns - started_ns - 300_000_000) < 2_000_000
    assert module.exec("import machine; print(machine.reset_cause())") == "3\n"
    module.run_for_ns(1_000_000_000)
    assert len(causes) == 1


def test_ram_does_not_survive_a_power_cut(module):
    address = 0x20030000
    module.exec(f"import machine; machine.mem32[{address}] = 0x12345678")
    module.power_cut()
    module.power_on()
    assert module.exec(f"import machine; print(machine.mem32[{address}] == 0x12345678)") == (
        "False\n"
    )


def test_time_goes_on_without_power_and_nothing_is_executed(module):
    module.exec("1")
    module.power_cut()
    before, cycles = module.now_ns, module.cycles
    called = []
    module.schedule(before + 5_000_000, lambda: called.append(module.now_ns))
    module.run_for_ns(10_000_000)
    assert called == [before + 5_000_000]
    assert module.now_ns == before + 10_000_000
    assert module.cycles == cycles
    assert not module.console.connected


def test_contents_can_be_saved_and_restored(firmware, module):
    module.exec(WRITE.format(text="carried over"))
    saved = module.flash
    assert len(saved) == 2 * 1024 * 1024
    assert Module(firmware, saved).exec(READ) == "carried over\n"
    other = Module(firmware)
    other.exec("1")
    other.power_cut()
    other.flash = saved
    other.power_on()
    assert other.exec(READ) == "carried over\n"


def test_program_and_erase_take_their_time_and_count_as_load(module):
    module.exec(RAW)
    operations = []
    module.on_flash_operation = operations.append
    before, cycles = module.now_ns, module.cycles
    module.exec("area.ioctl(6, last)")
    erase_ns, busy = module.now_ns - before, module.cycles - cycles
    before = module.now_ns
    module.exec("area.writeblocks(last, bytes(256), 0)")
    program_ns = module.now_ns - before
    assert [(operation.kind, len(operation.after)) for operation in operations] == [
        ("erase", 4096),
        ("program", 256),
    ]
    assert erase_ns - program_ns > SECTOR_ERASE_NS - 5 * PROGRAM_NS
    assert busy * 8 > SECTOR_ERASE_NS


def test_bytes_that_come_during_an_erase_overrun_the_uart(module):
    module.exec(RAW + "from machine import UART, Pin\nu = UART(0, 9600, rxbuf=256)")
    module.uart[0].send(bytes(60), at_ns=module.now_ns + 6_000_000)
    module.exec("area.ioctl(6, last)")
    module.run_for_ns(100_000_000)
    lost = 60 - int(module.exec("print(u.any())"))
    assert 5 <= lost <= 30


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.999])
def test_cut_within_a_program_leaves_a_part_of_the_page(module, fraction):
    module.exec(RAW + f"page = {PAGE!r}\narea.ioctl(6, last)")
    module.cut_at_operation(1, fraction)
    module.start("area.writeblocks(last, page, 0)")
    module.run_for_ns(20_000_000)
    assert not module.powered
    page = module.flash[-4096:][:256]
    done = int(256 * fraction)
    assert page[:done] == PAGE[:done]
    assert page[done + 1 :] == b"\xff" * (255 - done)


def test_cut_within_an_erase_leaves_some_bits_erased(module):
    module.exec(RAW + "area.ioctl(6, last); area.writeblocks(last, bytes(4096))")
    module.cut_at_operation(1, 0.25, "erase")
    module.start("area.writeblocks(last, bytes(256), 0); area.ioctl(6, last)")
    module.run_for_ns(100_000_000)
    sector = module.flash[-4096:]
    raised = sum(byte.bit_count() for byte in sector) / (8 * 4096)
    assert not module.powered
    assert 0.2 < raised < 0.3


def test_finished_operation_is_whole_after_a_cut(module):
    module.exec(RAW + f"area.ioctl(6, last); area.writeblocks(last, {PAGE!r}, 0)")
    module.power_cut()
    assert module.flash[-4096:][:256] == PAGE


def test_file_system_survives_cuts_at_every_operation_of_a_write(module):
    module.exec(WRITE.format(text="old"))
    saved = module.flash
    outcomes = set()
    for number in range(1, 5):
        module.flash = saved
        module.reset()
        module.exec("1")
        module.cut_at_operation(number, 0.5)
        module.start("f = open('note.txt', 'w'); f.write('new'); f.close()")
        module.run_for_ns(200_000_000)
        module.power_on()
        outcomes.add(module.exec(READ))
    assert outcomes <= {"old\n", "new\n"}
