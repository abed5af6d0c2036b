"""Conservation (E-10, A-3, N2) and bounds (N1) over random lives, in both interpreters."""

from metering_world import Mismatch, World

from endpoint.metering.engine import Engine
from endpoint.metering.placement import Placement


def raises_mismatch(make_engine, seeds):
    for seed in seeds:
        try:
            World(seed, make_engine=make_engine).live(15)
        except Mismatch:
            return True
    return False


def test_N1_bounds_contain_the_truth_in_honest_lives():
    for seed in range(100, 112):
        World(seed, honest=True).live(20)


def test_N1_bounds_are_those_of_the_one_step_that_is_divided():
    """Two registers that step together round once; their shares alone round twice."""
    for seed in (15655, 19825):
        World(seed, honest=True).live(25)


def test_A3_E10_books_balance_in_wild_lives():
    for seed in range(200, 212):
        World(seed).live(20)


def test_lives_of_a_slow_poll():
    for seed in range(300, 303):
        World(seed, honest=True, poll_s=900).live(15)
        World(seed, poll_s=300).live(15)


class LosesOneAtABoundary(Engine):
    """One watt-hour is lost when a piece of energy is placed in the third rate."""

    def ledger(self):
        placement = self.placement
        if placement.rates_wh[2] > 50:
            placement.rates_wh[2] -= 1
        return super().ledger()


class DoublesOneInAnInterval(Engine):
    def on_tick(self, mono_s):
        super().on_tick(mono_s)
        self.placement.profile.value_wh += 1


class ForgetsTheQueue(Engine):
    """A record that loses energy whose time is not known yet."""

    def unpack_from(self, buffer):
        super().unpack_from(buffer)
        self.placement.forward.steps_wh = [0] * len(self.placement.forward.steps_wh)


class FloatingEngine(Engine):
    """Energy that went through a float of the chip."""

    def _credit_good(self, now_l):
        credited_wh = super()._credit_good(now_l)
        if self.forward_wh > 1 << 14:
            self.forward_wh &= ~1
        return credited_wh


def test_N2_planted_watt_hours_are_caught():
    for fault in (LosesOneAtABoundary, DoublesOneInAnInterval, ForgetsTheQueue, FloatingEngine):
        assert raises_mismatch(fault, range(400, 412)), fault


def test_N1_bounds_that_are_too_narrow_are_caught():
    divide = Placement._divide

    def narrow(self, cell, steps, is_reverse):
        under_wh, over_wh = cell.under_wh, cell.over_wh
        divide(self, cell, steps, is_reverse)
        cell.under_wh, cell.over_wh = under_wh, over_wh

    Placement._divide = narrow
    caught = False
    try:
        for seed in range(100, 125):
            World(seed, honest=True).live(20)
    except Mismatch:
        caught = True
    Placement._divide = divide
    assert caught
