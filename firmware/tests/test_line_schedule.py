"""What goes next: the hourly budget, answers, debts, and requests for more than fits."""

from endpoint.line import BudgetError
from endpoint.line import payload as p
from endpoint.line.profile import BENCH, EXPRESS, FIELD, FIELD2
from endpoint.line.schedule import (
    MODE_PROFILE,
    MODE_REGISTER,
    OFF,
    Schedule,
    carries_digest,
    frames_per_day_x1000,
)

HOUR0 = 500000


def _raises(error, function, *arguments):
    try:
        function(*arguments)
    except error:
        return True
    return False


def _run(schedule, profile, hours, line_mhz=60000, busy=None):
    """Play whole hours; return what was sent as (type, argument) and the hours delivered.

    `busy(schedule, i)` may ask for something before frame i.
    """
    frame_s = profile.frame_cycles * 1000 / line_mhz
    sent = []
    delivered = {}
    t = 0.0
    i = 0
    while t < hours * 3600:
        if busy:
            busy(schedule, i)
        hour = HOUR0 + int(t // 3600) - 1
        frame_type = schedule.next(hour)
        sent.append((frame_type, schedule.argument))
        if frame_type in p.STREAMS:
            delivered[schedule.argument] = hour
        elif frame_type == p.BLOCK:
            for k in range(4):
                delivered.setdefault(4 * schedule.argument + k, hour)
        t += frame_s
        i += 1
    return sent, delivered


def test_frames_per_day():
    assert frames_per_day_x1000(FIELD) == 24107
    assert frames_per_day_x1000(FIELD, 59730) == 23998
    assert frames_per_day_x1000(FIELD2) == 48214
    assert frames_per_day_x1000(BENCH) == 4628571
    assert frames_per_day_x1000(FIELD, 60000, 900) == 21696


def test_R30_field_streams_every_hour():
    schedule = Schedule(FIELD)
    schedule.set_mode(MODE_PROFILE)
    sent, _ = _run(schedule, FIELD, 24 * 30)
    streamed = [argument for frame_type, argument in sent if frame_type == p.STREAM_PROFILE]
    assert streamed == list(range(HOUR0 - 1, HOUR0 - 1 + 24 * 30))
    # Spare frames, one in nine days, say everything else in turn.
    assert 3 <= len(sent) - len(streamed) <= 4


def test_slow_line_loses_no_energy():
    schedule = Schedule(FIELD)
    schedule.set_mode(MODE_REGISTER)
    _, delivered = _run(schedule, FIELD, 24 * 10, line_mhz=57000)
    for hour in range(HOUR0, HOUR0 + 24 * 10 - 9):
        assert hour in delivered
        assert delivered[hour] - hour <= 8


def test_answers_displace_but_energy_arrives_within_four_hours():
    def busy(schedule, i):
        # As much as is allowed: three frames in four.
        if i % 4 != 3:
            schedule.add_answer(0x28, 0, i)

    schedule = Schedule(FIELD)
    schedule.set_mode(MODE_PROFILE)
    sent, delivered = _run(schedule, FIELD, 24 * 10, busy=busy)
    kinds = [frame_type for frame_type, _ in sent]
    assert kinds.count(p.ACK) > 170
    for hour in range(HOUR0, HOUR0 + 24 * 10 - 8):
        assert delivered[hour] - hour <= 4


def test_one_answer_goes_next_and_costs_a_block_or_two():
    # An answer in place of a block's last hour leaves the block to displace the next hour.
    for at, blocks in ((5, 2), (6, 1), (7, 1)):

        def busy(schedule, i, at=at):
            if i == at:
                schedule.add_answer(0x12, 0, 1)
                schedule.add_answer(0x12, 0, 1)

        schedule = Schedule(FIELD)
        schedule.set_mode(MODE_PROFILE)
        sent, delivered = _run(schedule, FIELD, 20, busy=busy)
        assert [i for i in range(len(sent)) if sent[i][0] == p.ACK] == [at]
        assert len([1 for frame_type, _ in sent if frame_type == p.BLOCK]) == blocks
        assert all(hour in delivered for hour in range(HOUR0 - 1, HOUR0 + 18))


def test_missing_day_is_six_frames():
    schedule = Schedule(FIELD)
    schedule.set_mode(MODE_PROFILE)
    schedule.add_request(p.BLOCK, 100, 6)
    asked = []
    for i in range(12):
        if schedule.next(HOUR0 + i) == p.BLOCK and schedule.argument < 1000:
            asked.append(schedule.argument)
    assert asked == [100, 101, 102, 103, 104, 105]


def test_more_than_fits_is_refused_with_numbers():
    schedule = Schedule(FIELD, duty_permille=900)
    assert _raises(BudgetError, schedule.set_mode, MODE_PROFILE)
    assert schedule.mode == OFF
    assert schedule.needs_x1000(MODE_PROFILE) == (24000, 21696)
    schedule = Schedule(FIELD)
    schedule.set_mode(MODE_PROFILE)
    schedule.add_request(p.BLOCK, 0, 18)
    assert _raises(BudgetError, schedule.add_request, p.BLOCK, 0, 1)
    assert schedule.needs_x1000(MODE_PROFILE, 19) == (25000, 24107)
    schedule = Schedule(EXPRESS)
    schedule.set_mode(MODE_PROFILE)
    for _ in range(6):
        schedule.add_request(p.BLOCK, 0, 24)
    assert schedule.waiting == 144
    schedule.add_request(p.BLOCK, 0, 24)
    assert _raises(BudgetError, schedule.add_request, p.BLOCK, 0, 24)
    assert _raises(BudgetError, schedule.add_request, p.ACK, 0, 1)


def test_queues_are_bounded():
    schedule = Schedule(BENCH)
    for i in range(20):
        schedule.add_answer(1, 0, i)
    for i in range(8):
        schedule.add_read(i)
    assert _raises(BudgetError, schedule.add_read, 9)
    seen = []
    for _ in range(16):
        if schedule.next(None) == p.ACK:
            seen.append(schedule.answer[2])
        else:
            seen.append(schedule.asked)
    assert seen == list(range(12, 20)) + list(range(8))


def test_without_streaming_everything_takes_its_turn():
    schedule = Schedule(BENCH)
    kinds = [schedule.next(None) for _ in range(64)]
    assert kinds[0] == kinds[16] == p.JOIN
    for frame_type in (p.REGISTER, p.TOU, p.DEMAND, p.VOLTAGE, p.STATUS):
        assert kinds.count(frame_type) >= 8
    assert not [k for k in kinds if k in p.STREAMS]


def test_bench_streams_an_hour_once_and_goes_on_with_the_rest():
    schedule = Schedule(BENCH)
    schedule.set_mode(MODE_REGISTER)
    kinds = [schedule.next(HOUR0) for _ in range(20)]
    assert kinds.count(p.STREAM_REGISTER) == 1 and kinds[0] == p.STREAM_REGISTER
    assert schedule.next(HOUR0 + 1) == p.STREAM_REGISTER


def test_event_goes_before_the_hour():
    schedule = Schedule(FIELD)
    schedule.set_mode(MODE_PROFILE)
    assert schedule.next(HOUR0 + 1, events=1) == p.EVENT
    assert schedule.next(HOUR0 + 2) == p.STREAM_PROFILE
    assert schedule.next(HOUR0 + 3) == p.BLOCK


def test_switching_off_ends_the_stream():
    schedule = Schedule(FIELD)
    schedule.set_mode(MODE_PROFILE)
    schedule.next(HOUR0)
    schedule.next(HOUR0 + 1, events=1)
    schedule.set_mode(OFF)
    for i in range(40):
        assert schedule.next(HOUR0 + 2 + i) not in p.STREAMS + (p.BLOCK,)


def test_digest_rides_on_the_last_hour():
    assert [hour for hour in range(48) if carries_digest(hour)] == [23, 47]


def test_several_frames_an_hour_displace_nothing():
    """An event goes first, the hour's record in the frame after it."""
    schedule = Schedule(BENCH)
    schedule.set_mode(MODE_REGISTER)
    assert schedule.next(14, events=1) == p.EVENT
    assert schedule.next(14) == p.STREAM_REGISTER
    assert schedule.argument == 14
    # The hour after is not sent twice, and nothing is owed.
    assert schedule.next(14) not in (p.STREAM_REGISTER, p.BLOCK)
    assert schedule.next(15) == p.STREAM_REGISTER
