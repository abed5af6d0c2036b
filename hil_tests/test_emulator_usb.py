"""USB console of the emulated module: idle is free, exec works, resets are survived."""

import pytest

from wattline.emulator import DeviceError
from wattline.emulator.benchmark import idle_speed


def test_waiting_for_input_costs_next_to_no_cycles(module):
    module.exec("1")
    before = module.cycles
    module.run_for_ns(10_000_000_000)
    assert module.cycles - before < 10_000


def test_idle_is_much_faster_than_real_time(firmware):
    """How it compares with plain rp2040py is the benchmark's matter."""
    # Shorter than the product's service window, after which its application comes back.
    assert idle_speed(firmware, simulated_s=500) > 50


def test_exec_returns_what_was_printed(module):
    assert module.exec("print('a', 1)\nprint(2)") == "a 1\n2\n"


def test_exec_raises_with_the_module_s_traceback(module):
    with pytest.raises(DeviceError, match="ZeroDivisionError: divide by zero"):
        module.exec("1/0")


def test_exec_interrupts_what_runs(module):
    module.start("while True: pass")
    module.run_for_ns(1_000_000)
    assert module.exec("print('free')") == "free\n"


def test_exec_gives_up_in_simulated_time(module):
    before = module.now_ns
    with pytest.raises(TimeoutError, match="did not answer"):
        module.exec("import time; time.sleep(100)", timeout_sim_s=3)
    assert 3e9 <= module.now_ns - before < 7e9


def test_long_code_and_long_output_pass(module):
    code = "".join(f"a{n} = {n}\n" for n in range(100)) + "print(a99, 'x' * 3000)"
    assert module.exec(code) == "99 " + "x" * 3000 + "\n"


def test_console_comes_back_after_resets_and_power_cuts(module):
    module.exec("1")
    connections = []
    module.console.on_connect = lambda: connections.append(module.now_ns)
    module.reset()
    assert not module.console.connected
    module.run_for_ns(200_000_000)
    module.power_cut()
    module.power_on()
    module.run_for_ns(200_000_000)
    assert len(connections) == 2
    assert module.exec("print(1)") == "1\n"


def test_bytes_of_the_console_can_be_read_and_written(module):
    module.exec("1")
    module.console.write(b"\x02")
    module.run_for_ns(20_000_000)
    module.console.read()
    module.console.write(b"print(6*7)\r\n")
    module.run_for_ns(20_000_000)
    assert b"42" in module.console.read()
