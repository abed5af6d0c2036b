"""The supervisor: the watchdog is fed only while every task reports."""

import asyncio

from endpoint.tasks.supervisor import Supervisor


class Bench:
    """Simulated clock, watchdog and error output; a restart ends the scenario."""

    def __init__(self):
        self.now_ms = 0
        self.fed = 0
        self.faults = []
        self.complaints = []
        self.restarted = False

    def complain(self, name, error):
        self.complaints.append((name, type(error)))

    def ms(self):
        return self.now_ms

    def feed(self):
        self.fed += 1

    def note_fault(self, number):
        self.faults.append(number)

    def restart(self):
        self.restarted = True


class End(Exception):
    """The scenario is over."""


def _run(scenario, bench, rounds):
    """Run a scenario for `rounds` sleeps of the supervisor; True if it restarted the board."""

    async def sleep_ms(ms):
        bench.now_ms += ms
        for _ in range(4):
            await asyncio.sleep(0)
        bench.rounds -= 1
        if bench.restarted or bench.rounds < 0:
            raise End

    bench.rounds = rounds
    real = getattr(asyncio, "sleep_ms", None)
    asyncio.sleep_ms = sleep_ms
    try:
        asyncio.run(scenario())
    except End:
        pass
    finally:
        asyncio.sleep_ms = real
    return bench.restarted


def test_a_reporting_task_keeps_the_watchdog_fed():
    bench = Bench()

    async def scenario():
        supervisor = Supervisor(bench, bench, bench.complain)

        async def task(beat):
            while True:
                beat()
                await asyncio.sleep(0)

        supervisor.start("worker", task, 5000)
        await supervisor.run()

    assert _run(scenario, bench, 20) is False
    assert bench.fed == 21 and bench.faults == []


def test_a_silent_task_is_a_fault_by_its_number():
    bench = Bench()

    async def scenario():
        supervisor = Supervisor(bench, bench, bench.complain)

        async def well(beat):
            while True:
                beat()
                await asyncio.sleep(0)

        async def stuck(_beat):
            while True:
                await asyncio.sleep(0)

        supervisor.start("well", well, 5000)
        supervisor.start("stuck", stuck, 5000)
        await supervisor.run()

    assert _run(scenario, bench, 20) is True
    assert bench.faults == [2]
    assert bench.fed == 3 and bench.now_ms == 6000  # fed at 0, 2 and 4 s; silent for 6 s


def test_a_task_without_a_limit_may_be_silent_for_ever():
    bench = Bench()
    bench.now_ms = 1 << 29

    async def scenario():
        supervisor = Supervisor(bench, bench, bench.complain)

        async def waits(_beat):
            while True:
                await asyncio.sleep(0)

        supervisor.start("console", waits, None)
        bench.now_ms += 1 << 30
        await supervisor.run()

    assert _run(scenario, bench, 20) is False
    assert bench.faults == [] and bench.fed == 21


def test_a_fault_is_noted_even_when_it_cannot_be_told():
    bench = Bench()

    def mute(_name, _error):
        raise MemoryError

    async def scenario():
        supervisor = Supervisor(bench, bench, mute)

        async def fails(_beat):
            raise ValueError

        supervisor.start("fails", fails, 5000)
        await supervisor.run()

    assert _run(scenario, bench, 20) is True
    assert bench.faults[0] == 1


def test_a_task_that_ends_is_a_fault():
    bench = Bench()

    async def scenario():
        supervisor = Supervisor(bench, bench, bench.complain)

        async def ends(_beat):
            await asyncio.sleep(0)

        supervisor.start("ends", ends, 5000)
        await supervisor.run()

    assert _run(scenario, bench, 20) is True
    assert bench.faults == [1]


def test_a_task_that_fails_is_a_fault_and_its_exception_is_told():
    bench = Bench()

    async def scenario():
        supervisor = Supervisor(bench, bench, bench.complain)

        async def fails(_beat):
            raise MemoryError

        supervisor.start("fails", fails, 5000)
        await supervisor.run()

    assert _run(scenario, bench, 20) is True
    assert bench.faults == [1, 1]  # noted before it is told, and again as the end
    assert bench.complaints == [("fails", MemoryError)]
