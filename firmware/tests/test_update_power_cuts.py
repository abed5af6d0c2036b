"""The power goes at every program and erase of update, trial, confirmation and roll-back.

Whatever is cut: the next start works, and what it starts is the old application or the new one,
whole. A failure prints the string that repeats it: device, operation, tear and seed of each cut.
"""

from flash_model import TEARS, PowerCut
from update_bench import BLOCK_BYTES, Bench, application, install, release

import endpoint.update.install as install_module
from endpoint.update.record import FROZEN

OLD, NEW, NEWER = application(11), application(18, 5000), application(19, 4200)
V11, V18, V19 = (11, 0, 0), (18, 0, 0), (19, 0, 0)
DEVICES = ("a", "b", "start")
# The signature is verified before anything is written; its arithmetic has tests of its own.
OFFERS = {image: release(version, image) for version, image in ((V18, NEW), (V19, NEWER))}


class WithoutSignatures:
    """Leaves the arithmetic of signatures out, a thousand times faster."""

    def __enter__(self):
        self._signed_by = install_module.signed_by
        install_module.signed_by = lambda block, keys, sha256: None

    def __exit__(self, kind, error, trace):
        install_module.signed_by = self._signed_by


class State:
    """The flash of a module at one time, so that every cut begins with the same one."""

    def __init__(self, bench):
        self._devices = [(bytes(device.data), device.weak.copy()) for device in devices(bench)]

    def bench(self):
        """Return a module with this flash."""
        bench = Bench()
        for device, (data, weak) in zip(devices(bench), self._devices):
            device.data[:] = data
            device.weak = weak.copy()
            device.operations = 0
        bench.load()
        return bench


def devices(bench):
    return tuple(bench.slots) + (bench.start,)


def old_runs():
    """Return the flash of a module that runs version 11 from slot a."""
    bench = Bench()
    install(bench, release(V11, OLD))
    return State(bench)


def both_confirmed():
    """Return the flash of a module that runs version 18 from slot b, with 11 in slot a."""
    bench = old_runs().bench()
    install(bench, OFFERS[NEW])
    return State(bench)


def update_to(image):
    """Return the work of an update that goes on where the last attempt stopped, to its end."""

    def work(bench):
        number = bench.boot()
        if bench.runs(number) == image:
            bench.confirm(number, V11)
            return
        block, _ = OFFERS[image]
        installer = bench.installer()
        installer.begin(block)
        for at in range(0, len(image), BLOCK_BYTES):
            installer.put(1 + at // BLOCK_BYTES, [image[at : at + BLOCK_BYTES]])
        installer.finish()
        bench.confirm(bench.boot(), V11)

    return work


def roll_back(bench):
    """Go back once, unless that has happened already."""
    if bench.runs(bench.boot()) == NEW:
        bench.installer().roll_back()
        bench.boot()


def reject_the_trial(bench):
    """Install, start, and find that the watchdog has bitten."""
    number = bench.boot()
    if bench.runs(number) == NEW:
        bench.boot("watchdog", 1)
        return
    if bench.record.slots[1].reason:
        return
    block, image = OFFERS[NEW]
    installer = bench.installer()
    installer.begin(block)
    for at in range(0, len(image), BLOCK_BYTES):
        installer.put(1 + at // BLOCK_BYTES, [image[at : at + BLOCK_BYTES]])
    installer.finish()
    bench.boot()
    bench.boot("watchdog", 1)


def operations(state, work):
    """Return how many operations of each device the undisturbed work has."""
    bench = state.bench()
    work(bench)
    return [device.operations for device in devices(bench)]


def cut_once(bench, work, device, schedule):
    """Do the work, with the power going as planned; return whether it went."""
    devices(bench)[device].cut(schedule)
    try:
        work(bench)
        gone = False
    except PowerCut:
        gone = True
    for each in devices(bench):
        each.power_on()
    return gone


def check(bench, allowed, replay):
    """Start twice: both starts work, on an application that is allowed, whole."""
    for _ in range(2):
        number = bench.boot()
        assert number != FROZEN, replay
        assert bench.runs(number) in allowed, replay


def cut_everywhere(make_state, work, allowed, final, seeds=(1,)):
    """Cut at every operation in every way; return the number of cuts."""
    cuts = 0
    with WithoutSignatures():
        state = make_state()
        for device, count in enumerate(operations(state, work)):
            for operation in range(1, count + 1):
                for tear in TEARS:
                    for seed in seeds if tear in ("first", "bits") else (1,):
                        schedule = "%d:%s:%d" % (operation, tear, seed * 1009 + operation)
                        replay = DEVICES[device] + ":" + schedule
                        bench = state.bench()
                        assert cut_once(bench, work, device, schedule), replay
                        check(bench, allowed, replay)
                        work(bench)
                        assert bench.runs(bench.boot()) == final, replay
                        cuts += 1
    return cuts


def cut_twice(make_state, work, allowed, final, step):
    """Cut at every `step`-th operation, and again at every `step`-th of what follows."""
    cuts = 0
    with WithoutSignatures():
        state = make_state()
        first = operations(state, work)
        for device, count in enumerate(first):
            for operation in range(1, count + 1, step):
                for then, again in enumerate(first):
                    for second in range(1, again + 1, step):
                        one = "%d:bits:%d" % (operation, operation)
                        two = "%d:first:%d" % (second, second)
                        replay = "%s:%s %s:%s" % (DEVICES[device], one, DEVICES[then], two)
                        bench = state.bench()
                        assert cut_once(bench, work, device, one), replay
                        check(bench, allowed, replay)
                        cuts += 1 + cut_once(bench, work, then, two)
                        check(bench, allowed, replay)
                        work(bench)
                        assert bench.runs(bench.boot()) == final, replay
    return cuts


def test_cut_of_update_trial_and_confirmation():
    assert cut_everywhere(old_runs, update_to(NEW), (OLD, NEW), NEW, range(5)) > 400


def test_cut_of_an_update_over_the_slot_of_an_earlier_one():
    """The earlier application is given up first: it must never start half overwritten."""
    assert cut_everywhere(both_confirmed, update_to(NEWER), (NEW, NEWER), NEWER, range(5)) > 380


def test_cut_of_roll_back():
    assert cut_everywhere(both_confirmed, roll_back, (OLD, NEW), OLD, range(20)) >= 40


def test_cut_of_an_update_that_is_rejected():
    assert cut_everywhere(old_runs, reject_the_trial, (OLD, NEW), OLD) > 100


def test_two_cuts_of_one_update():
    assert cut_twice(old_runs, update_to(NEW), (OLD, NEW), NEW, 2) > 380
