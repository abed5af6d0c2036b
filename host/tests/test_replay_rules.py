"""The rules once more, with other figures than their own cases: worked out by hand, run by replay.

Each case is a scenario as docs/replay.md describes it. Its name begins with the rule; "mix" cases
put several together. Times are UTC where a case names no site.
"""

import random
import tomllib

import pytest

from wattline.errors import WattlineError
from wattline.replay import run, scenario

CASES: dict[str, str] = {}


def case(name: str, text: str) -> None:
    """Note one case."""
    assert name not in CASES
    CASES[name] = text


# ---- E
case(
    "E3 rollover on a 12S in an hour",
    """
meter = {form="12S", forward_wh=99_999_500}
reads = [{at="00:00"}, {at="01:00", forward_wh=700}]
[expect]
"energy.forward_wh" = 1_200
"total.wh" = 100_000_700
"total.dial" = "00000"
"counters.ambiguous" = 0
""",
)
case(
    "E2 dial of 99 999 999",
    """
meter = {forward_wh=99_999_998}
reads = [{at="00:00"}, {at="00:01", forward_wh=99_999_999}]
[expect]
"total.dial" = "99999"
""",
)
case(
    "E4 five hundred back on a 1S",
    """
meter = {form="1S", forward_wh=7_000_000}
reads = [{at="00:00"}, {at="00:01", forward_wh=6_999_500}, {at="00:02", forward_wh=7_000_600}]
[expect]
"energy.forward_wh" = 600
"counters.transient_forward" = 1
"total.wh" = 7_000_600
""",
)
for form, volts, cap in (
    ("1S", 120, 300),
    ("3S", 120, 60),
    ("12S", 120, 1200),
    ("25S", 120, 1200),
    ("2S", 240, 1200),
    ("2SE", 240, 1920),
    ("2K", 240, 2880),
    ("3S", 240, 120),
    ("4S", 240, 120),
):
    for extra, good in ((10, True), (11, False)):
        case(
            f"E5 {form} at {volts} V, cap per minute plus {extra}",
            f"""
meter = {{form="{form}", voltage={volts}}}
reads = [{{at="00:00"}}, {{at="00:01", forward_wh={cap + extra}}}]
[expect]
"energy.forward_wh" = {cap + extra if good else 0}
"reads.suspect" = {0 if good else 1}
""",
        )
case(
    "E5 a turn on a 2K after 25 days is ambiguous",
    """
ticks = false
meter = {form="2K", forward_wh=40_000_000}
reads = [{at="00:00"}, {at="+25d 00:00", forward_wh=39_000_000}]
[expect]
"energy.forward_wh" = 99_000_000
"counters.ambiguous" = 1
"events[FORWARD_AMBIGUOUS].a" = 99_000_000
""",
)
case(
    "E5 a turn on a 2K after 24 days is still plausible and not ambiguous",
    """
ticks = false
meter = {form="2K", forward_wh=40_000_000}
reads = [{at="00:00"}, {at="+24d 00:00", forward_wh=39_000_000}]
[expect]
"energy.forward_wh" = 99_000_000
"counters.ambiguous" = 0
""",
)
case(
    "E5 the multiplier shortens the turn gap",
    """
ticks = false
meter = {form="4S", multiplier=40, forward_wh=40_000_000}
reads = [{at="00:00"}, {at="+15d 00:00", forward_wh=41_000_000}]
[expect]
"energy.forward_wh" = 1_000_000
"counters.ambiguous" = 1
""",
)
case(
    "E7 a 4S with x40 takes 250 kWh in an hour",
    """
meter = {form="4S", multiplier=40}
reads = [{at="00:00"}, {at="01:00", forward_wh=250_000}]
[expect]
"energy.forward_wh" = 250_000
"reads.suspect" = 0
""",
)
case(
    "E7 without the multiplier it is a suspect",
    """
meter = {form="4S"}
reads = [{at="00:00"}, {at="01:00", forward_wh=250_000}]
[expect]
"energy.forward_wh" = 0
"reads.suspect" = 1
""",
)
case(
    "E7 the cap survives a restart",
    """
meter = {form="4S", multiplier=40}
reads = [{at="00:00"}, {at="02:00", forward_wh=250_000}]
restarts = [{at="01:00", cause="reflash"}]
[expect]
"energy.forward_wh" = 250_000
"restarts.reflash" = 1
""",
)
case(
    "E7 the meter tells another multiplier later",
    """
meter = {form="4S"}
meter_events = [{at="00:30", multiplier=40}]
reads = [{at="00:00"}, {at="01:00", forward_wh=250_000}]
[expect]
"energy.forward_wh" = 250_000
""",
)
case(
    "E6 no CT, PT, Kh or multiplier by any command",
    """
reads = [{at="00:00"}, {at="00:04", forward_wh=40}]
commands = [
    {at="00:01", do="set", ct=40},
    {at="00:02", do="set", pt=2},
    {at="00:03", do="set", kh=7.2},
    {at="00:04", do="set", multiplier=40},
]
[expect]
"replies.done" = [false, false, false, false]
"energy.forward_wh" = 40
""",
)
case(
    "E9 four rates of 10 750",
    """
schedule = {weekday="00:00 A, 06:00 B, 12:00 C, 18:00 D"}
reads = [
    {at="00:00"},
    {at="06:00", forward_wh=10_750},
    {at="12:00", forward_wh=21_500},
    {at="18:00", forward_wh=32_250},
    {at="24:00", forward_wh=43_000},
]
[expect]
"rates.A.dial" = "00010"
"rates.B.dial" = "00010"
"rates.C.dial" = "00010"
"rates.D.dial" = "00010"
"total.dial" = "00043"
"estimated_wh" = 0
""",
)
case(
    "E10 the read's record is lost",
    """
meter = {forward_wh=5_000_000}
reads = [{at="00:00"}, {at="00:01", forward_wh=5_000_640}, {at="00:03", forward_wh=5_000_900}]
restarts = [{at="00:01:30", back="00:01:40", cause="crash", lost_commits=1}]
[expect]
"total.wh" = 5_000_900
"energy.forward_wh" = 900
"reads.lost" = 1
""",
)
case(
    "E10 the read's record is kept",
    """
meter = {forward_wh=5_000_000}
reads = [{at="00:00"}, {at="00:01", forward_wh=5_000_640}, {at="00:03", forward_wh=5_000_900}]
restarts = [{at="00:01:30", back="00:01:40", cause="crash"}]
[expect]
"total.wh" = 5_000_900
"reads.lost" = 0
""",
)
# ---- D
for det, net, wh in (("false", "false", 1_150), ("true", "false", 900), ("true", "true", 650)):
    case(
        f"D1-3 900 forward 250 reverse, detent {det} net {net}",
        f"""
settings = {{detent={det}, net={net}}}
reads = [{{at="00:00"}}, {{at="00:05", forward_wh=900, reverse_wh=250}}]
[expect]
"total.wh" = {wh}
""",
    )
    case(
        f"D1-3 only reverse, detent {det} net {net}",
        f"""
settings = {{detent={det}, net={net}}}
reads = [{{at="00:00"}}, {{at="00:05", reverse_wh=777}}]
[expect]
"total.wh" = {({1150: 777, 900: 0, 650: -777})[wh]}
"total.sign" = "{"-" if wh == 650 else "+"}"
""",
    )
case(
    "D3 net refused with detent No, and detent No while net is on",
    """
settings = {detent=false}
reads = [{at="00:00"}, {at="00:02"}, {at="00:04"}, {at="00:06"}]
commands = [
    {at="00:01", do="set", net=true},
    {at="00:03", do="set", detent=true, net=true},
    {at="00:05", do="set", detent=false},
]
[expect]
"replies.done" = [false, true, false]
"settings.net" = true
"settings.detent" = true
""",
)
case(
    "D4 net begins with the meter's F - R and passes on down",
    """
meter = {forward_wh=8_000_000, reverse_wh=8_600_500}
reads = [{at="00:00"}, {at="00:02"}, {at="00:04", reverse_wh=8_600_900}]
commands = [{at="00:01", do="set", net=true}]
[expect]
"total.wh" = -600_900
"total.dial" = "99399"
"total.sign" = "-"
""",
)
case(
    "D5 net through zero upwards",
    """
settings = {net=true}
meter = {forward_wh=1_000, reverse_wh=1_700}
reads = [
    {at="00:00"},
    {at="00:02", forward_wh=1_699},
    {at="00:04", forward_wh=1_700},
    {at="00:06", forward_wh=2_701},
]
[expect]
"total.wh" = 1_001
"total.dial" = "00001"
"total.sign" = "+"
""",
)
case(
    "D5 net one below zero",
    """
settings = {net=true}
meter = {forward_wh=1_000, reverse_wh=300}
reads = [{at="00:00"}, {at="00:02", reverse_wh=1_001}]
[expect]
"total.wh" = -1
"total.dial" = "99999"
"total.sign" = "-"
""",
)
case(
    "D4 preset while net is on",
    """
settings = {net=true}
reads = [{at="00:00"}, {at="00:02", forward_wh=100, reverse_wh=400}]
commands = [{at="00:01", do="preset", total_wh=-25_000}]
[expect]
"total.wh" = -25_300
"total.dial" = "99974"
""",
)
case(
    "D6 detent Yes to No is not retroactive",
    """
start = "08:00"
meter = {forward_wh=50_000, reverse_wh=700_000}
reads = [{at="08:00"}, {at="09:00", reverse_wh=712_000}, {at="09:30", reverse_wh=712_345}]
commands = [{at="08:59", do="set", detent=false}]
[expect]
"total.wh" = 50_345
"energy.counted_reverse_wh" = 345
""",
)
case(
    "D6 a pending change waits for the meter's answer",
    """
start = "08:00"
settings = {detent=false}
load = [{from="08:00", to="10:00", forward_w=1_200, reverse_w=600}]
missed = [{from="08:30", to="09:30"}]
commands = [{at="08:45", do="set", detent=true}]
[expect]
# under No until the answer at 09:30: 1 800 + 900; then 30 min forward only
"total.wh" = 3_300
"settings.detent" = true
"events[SETTINGS_CHANGED].at" = "09:30"
""",
)
case(
    "D6 a suspect answer does not put the change into force",
    """
reads = [
    {at="00:00"},
    {at="00:02", forward_wh=90_000_000, reverse_wh=100, glitch=true},
    {at="00:04", forward_wh=50, reverse_wh=300},
    {at="00:06", reverse_wh=350},
]
commands = [{at="00:01", do="set", detent=false}]
[expect]
"total.wh" = 100
"energy.counted_reverse_wh" = 50
""",
)
case(
    "D6 a change and a meter swap at once",
    """
meter = {forward_wh=44_000, reverse_wh=9_000}
reads = [
    {at="00:00"},
    {at="00:10", forward_wh=44_500, reverse_wh=9_100},
    {at="00:20", serial="2", forward_wh=77, reverse_wh=5_000},
    {at="00:30", forward_wh=177, reverse_wh=5_020},
]
commands = [{at="00:15", do="set", detent=false}]
[expect]
"total.wh" = 44_620
"counters.meter_changes" = 1
""",
)
case(
    "D7 net streams delivered energy only",
    """
settings = {net=true}
reads = [
    {at="00:00"},
    {at="01:00", forward_wh=444, reverse_wh=999},
    {at="02:00", forward_wh=500, reverse_wh=2_000},
]
commands = [{at="00:00", do="stream", mode="profile"}]
[expect]
"streaming.quantity" = "delivered"
"streaming.hours.wh" = [444, 56]
"hours.wh" = [-555, -945]
""",
)
case(
    "D7 net after stream, with a restart between, register mode",
    """
meter = {forward_wh=10_000, reverse_wh=90_000}
reads = [
    {at="00:00"},
    {at="01:00", forward_wh=10_400, reverse_wh=90_900},
    {at="02:00", forward_wh=10_500, reverse_wh=92_000},
    {at="03:00", forward_wh=10_900, reverse_wh=93_000},
]
commands = [{at="00:30", do="stream", mode="register"}, {at="01:00", do="set", net=true}]
restarts = [{at="01:30", cause="crash"}]
[expect]
"streaming.hours.wh" = [10_400, 10_500, 10_900]
"streaming.mode" = "register"
""",
)
case(
    "D8 display total with detent Yes warns",
    """
settings = {display=["total"]}
reads = [{at="00:00"}]
[expect]
"warnings" = ["the display shows total, but delivered energy is billed"]
""",
)
case(
    "D9 a net register both ways over zero",
    """
settings = {net=true}
meter = {net_register_only=true, forward_wh=100}
reads = [{at="00:00"}, {at="00:05", forward_wh=99_999_900}, {at="00:10", forward_wh=350}]
[expect]
"total.wh" = 350
"energy.forward_wh" = 450
"energy.reverse_wh" = 200
""",
)
case(
    "D9 a net register with net off counts no negative step",
    """
meter = {net_register_only=true, forward_wh=100}
reads = [{at="00:00"}, {at="00:05", forward_wh=99_999_900}, {at="00:10", forward_wh=350}]
[expect]
"total.wh" = 550
""",
)
case(
    "D9 detent No is refused there",
    """
meter = {net_register_only=true}
reads = [{at="00:00"}, {at="00:05"}]
commands = [{at="00:01", do="set", detent=false}]
[expect]
"replies.done" = [false]
""",
)
# ---- X
case(
    "X3 two different outliers in a row",
    """
meter = {forward_wh=12_000_000}
reads = [
    {at="00:00"},
    {at="00:01", forward_wh=0, glitch=true},
    {at="00:02", forward_wh=65_535_000, glitch=true},
    {at="00:03", forward_wh=12_001_100},
]
[expect]
"energy.forward_wh" = 1_100
"counters.transient_forward" = 2
"counters.discontinuity_forward" = 0
""",
)
case(
    "X3 all ones is no value",
    """
reads = [
    {at="00:00", forward_wh=500},
    {at="00:01", forward_wh=4_294_967_295, glitch=true},
    {at="00:02", forward_wh=700},
]
[expect]
"energy.forward_wh" = 200
"reads.refused" = 1
"counters.transient_forward" = 0
""",
)
case(
    "X3 an outlier at a boundary costs nothing",
    """
settings = {interval_min=30}
reads = [
    {at="00:00"},
    {at="00:29", forward_wh=290},
    {at="00:30", forward_wh=9_999_000, glitch=true},
    {at="00:31", forward_wh=310},
    {at="01:00", forward_wh=600},
]
[expect]
"intervals.wh" = [300, 300]
"intervals[00:30].flags" = []
""",
)
case(
    "X4 a reset within the half hour, with CHG",
    """
settings = {interval_min=30}
meter = {forward_wh=30_000_000}
reads = [
    {at="00:00"},
    {at="00:01", forward_wh=60},
    {at="00:02", forward_wh=360},
    {at="00:03", forward_wh=760},
    {at="00:30", forward_wh=1_060},
    {at="01:00", forward_wh=1_560},
]
[expect]
"energy.forward_wh" = 1_500
"counters.discontinuity_forward" = 1
"events[FORWARD_JUMPED].a" = 30_000_000
"events[FORWARD_JUMPED].b" = 60
"intervals[00:30].flags" = ["CHG"]
"intervals.wh" = [1_000, 500]
"demand.intervals[00:15].may_set_peak" = false
"total.wh" = 30_001_500
""",
)
case(
    "X4 two agreeing reads are not enough",
    """
meter = {forward_wh=30_000_000}
reads = [
    {at="00:00"},
    {at="00:01", forward_wh=50, glitch=true},
    {at="00:02", forward_wh=250, glitch=true},
    {at="00:03", forward_wh=30_000_900},
]
[expect]
"energy.forward_wh" = 900
"counters.discontinuity_forward" = 0
"counters.transient_forward" = 2
""",
)
case(
    "X5 preset upward",
    """
meter = {forward_wh=12_000_000}
reads = [
    {at="00:00"},
    {at="00:01", forward_wh=20_000_000},
    {at="00:02", forward_wh=20_000_250},
    {at="00:03", forward_wh=20_000_650},
    {at="00:04", forward_wh=20_000_700},
]
[expect]
"energy.forward_wh" = 700
"total.wh" = 12_000_700
"energy.forward_register_wh" = 20_000_700
""",
)
case(
    "X6 a new meter while a suspect waits",
    """
meter = {forward_wh=44_100_000}
reads = [
    {at="00:00"},
    {at="00:01", forward_wh=3_000, serial="B"},
    {at="00:02", forward_wh=4_200},
]
[expect]
"total.wh" = 44_101_200
"total.dial" = "44101"
"events[METER_CHANGED].a" = 44_100_000
"events[METER_CHANGED].b" = 3_000
"events[METER_CHANGED].old_serial" = "10000001"
"events[METER_CHANGED].new_serial" = "B"
""",
)
case(
    "X6 the old meter comes back",
    """
meter = {serial="A", forward_wh=1_000}
reads = [
    {at="00:00"},
    {at="00:01", forward_wh=1_100},
    {at="00:02", serial="B", forward_wh=50_000},
    {at="00:03", forward_wh=50_040},
    {at="00:04", serial="A", forward_wh=1_100},
    {at="00:05", forward_wh=1_107},
]
[expect]
"energy.forward_wh" = 147
"counters.meter_changes" = 2
""",
)
case(
    "X7 frozen over a half hour and a load profile",
    """
start = "17:00"
settings = {interval_min=30, demand_min=30}
meter = {forward_wh=9_554_016}
reads = [{at="17:00"}, {at="17:30", frozen=true}, {at="18:00", forward_wh=9_562_073}]
[expect]
"intervals.wh" = [4_028, 4_029]
"intervals[17:30].flags" = ["EST"]
"intervals[18:00].flags" = ["EST"]
"demand.peak.w" = 0
"counters.stale" = 1
""",
)
case(
    "X7 frozen for some polls, no boundary in it",
    """
settings = {interval_min=30}
reads = [
    {at="00:00"},
    {at="00:10", forward_wh=100},
    {at="00:11", frozen=true},
    {at="00:12", frozen=true},
    {at="00:13", forward_wh=130},
    {at="00:30", forward_wh=300},
]
[expect]
"intervals.wh" = [300]
"intervals[00:30].flags" = []
"counters.stale" = 2
""",
)
case(
    "X8 only the reverse register falters",
    """
settings = {net=true}
meter = {forward_wh=1_000, reverse_wh=7_000}
reads = [
    {at="00:00"},
    {at="00:01", forward_wh=1_500, reverse_wh=0},
    {at="00:02", forward_wh=2_000, reverse_wh=7_100},
]
[expect]
"energy.forward_wh" = 1_000
"energy.reverse_wh" = 100
"counters.transient_reverse" = 1
"counters.transient_forward" = 0
"total.wh" = -5_100
""",
)
case(
    "X1 a meter clock jump is an event and moves nothing",
    """
reads = [{at="00:00"}, {at="00:30", forward_wh=300}, {at="01:00", forward_wh=600}]
meter_events = [{at="00:15", clock_offset_s=7_200}]
[expect]
"hours.wh" = [600]
"events[METER_CLOCK_CHANGED].b" = 7_200
"clock.meter_clock_difference_s" = 7_200
""",
)
# ---- A
case(
    "A1 half hours with an outage across a boundary",
    """
start = "06:20"
settings = {interval_min=30}
reads = [
    {at="06:20", forward_wh=10_000},
    {at="07:10", forward_wh=10_500},
    {at="07:30", forward_wh=10_600},
]
dark = [{from="06:40", to="07:05"}]
[expect]
"intervals.wh" = [200, 200, 200]
"intervals[06:30].flags" = ["PARTIAL", "EST"]
"intervals[07:00].flags" = ["PF", "EST"]
"intervals[07:30].flags" = ["PF", "EST"]
""",
)
case(
    "A1 the same with P 900 s is no estimate",
    """
start = "06:20"
settings = {interval_min=30, poll_s=900}
reads = [
    {at="06:20", forward_wh=10_000},
    {at="07:10", forward_wh=10_500},
    {at="07:30", forward_wh=10_600},
]
dark = [{from="06:40", to="07:05"}]
[expect]
"intervals.wh" = [200, 200, 200]
"intervals[07:00].flags" = ["PF"]
""",
)
case(
    "A1 cumulative floor, five-minute profile, 7 parts of 100",
    """
settings = {interval_min=5}
reads = [{at="00:00"}, {at="00:35", forward_wh=100}]
[expect]
"intervals.wh" = [14, 14, 14, 15, 14, 14, 15]
""",
)
case(
    "A1 cumulative floor of a negative net step",
    """
settings = {net=true, interval_min=5}
reads = [{at="00:00"}, {at="00:15", reverse_wh=100}]
[expect]
"intervals.wh" = [-34, -33, -33]
""",
)
case(
    "A1 net step of both registers is divided as one",
    """
settings = {net=true, interval_min=5}
reads = [{at="00:00"}, {at="00:15", forward_wh=50, reverse_wh=150}]
[expect]
"intervals.wh" = [-34, -33, -33]
"intervals.forward_wh" = [16, 17, 17]
""",
)
case(
    "A1 detent No: both are added, and divided as one",
    """
settings = {detent=false, interval_min=5}
reads = [{at="00:00"}, {at="00:15", forward_wh=50, reverse_wh=50}]
[expect]
"intervals.wh" = [33, 33, 34]
""",
)
case(
    "A1 two outages in one poll gap",
    """
start = "06:50"
reads = [{at="06:50"}, {at="07:50", forward_wh=300}, {at="08:00"}]
dark = [{from="06:52", to="06:58"}, {from="07:01", to="07:46"}]
[expect]
# lit: 2 + 3 + 4 min = 9 min, of these 2 + 2 before 07:00
"hours.wh" = [133, 167]
"hours[07:00].flags" = ["PF", "PARTIAL", "EST"]
"outages.blink" = 0
"outages.sustained" = 2
""",
)
case(
    "A1 energy without a lit second",
    """
start = "06:30"
reads = [{at="06:30"}, {at="07:40", forward_wh=9}, {at="08:00"}]
dark = [{from="06:30", to="07:40"}]
[expect]
"hours.wh" = [9, 0]
"hours[07:00].flags" = ["PF", "PARTIAL", "EST"]
""",
)
case(
    "A2 exactly two polls is no estimate, one second more is",
    """
settings = {interval_min=15}
start = "06:00"
reads = [
    {at="06:00"},
    {at="06:14"},
    {at="06:16", forward_wh=120},
    {at="06:29"},
    {at="06:31:01", forward_wh=241},
    {at="06:45"},
]
[expect]
"intervals[06:15].flags" = []
"intervals[06:30].flags" = ["EST"]
"intervals[06:45].flags" = ["EST"]
"intervals.wh" = [60, 120, 61]
""",
)
case(
    "A2 an outage inside an interval, polls on time",
    """
settings = {interval_min=30}
load = [{from="00:00", to="01:00", forward_w=6_000}]
dark = [{from="00:10", to="00:20"}]
[expect]
"intervals.wh" = [2_000, 3_000]
"intervals[00:30].flags" = ["PF"]
""",
)
case(
    "A4 re-flash across a quarter hour",
    """
start = "10:00"
settings = {interval_min=15}
load = [{from="10:00", to="10:30", forward_w=7_200}]
restarts = [{at="10:10", back="10:20", cause="reflash"}]
[expect]
"intervals.wh" = [1_800, 1_800]
"intervals[10:15].flags" = ["EST"]
"intervals[10:30].flags" = ["EST"]
"outages.power_fail" = 0
"restarts.reflash" = 1
""",
)
case(
    "A5 reads at boundaries only",
    """
settings = {interval_min=30}
reads = [{at="07:00"}, {at="07:30", forward_wh=750}, {at="08:00", forward_wh=1_500}]
start = "07:00"
[expect]
"intervals.wh" = [750, 750]
"intervals.flags" = [[], []]
"intervals.least_wh" = [750, 750]
"intervals.most_wh" = [750, 750]
""",
)
case(
    "N1 bounds of a divided step on a 1S",
    """
meter = {form="1S"}
reads = [
    {at="00:00"},
    {at="00:50", forward_wh=500},
    {at="01:10", forward_wh=6_500},
    {at="02:00", forward_wh=7_000},
]
[expect]
# 6 000 Wh in 20 min at 18 kW: all of it possible, at most 3 000 on each side
"hours.wh" = [3_500, 3_500]
"hours[01:00].least_wh" = 3_490
"hours[01:00].most_wh" = 3_510
""",
)
case(
    "N1 wide bounds",
    """
reads = [
    {at="00:00"},
    {at="00:50", forward_wh=500},
    {at="01:20", forward_wh=800},
    {at="02:00", forward_wh=900},
]
[expect]
"hours.wh" = [600, 300]
"hours.least_wh" = [500, 100]
"hours.most_wh" = [800, 400]
"hours[01:00].flags" = ["EST"]
""",
)
# ---- M
for t, w in ((5, 12_000), (15, 4_000), (30, 2_000), (60, 1_000)):
    case(
        f"M1 1 000 Wh in {t} min",
        f"""
settings = {{demand_min={t}}}
reads = [{{at="00:00"}}, {{at="00:{t:02d}", forward_wh=1_000}}]
""".replace("00:60", "01:00")
        + f"""[expect]
"demand.peak.w" = {w}
"demand.peak.at" = "{"01:00" if t == 60 else f"00:{t:02d}"}"
""",
    )
for det, net, w in (("true", "false", 400), ("true", "true", 400), ("false", "false", 1_500)):
    case(
        f"M2 an hour 400 forward 1 100 back, detent {det} net {net}",
        f"""
settings = {{demand_min=60, detent={det}, net={net}}}
reads = [{{at="00:00"}}, {{at="01:00", forward_wh=400, reverse_wh=1_100}}]
[expect]
"demand.peak.w" = {w}
"demand.coincident.reverse_w" = 1_100
""",
    )
case(
    "M2 an hour of pure export has demand 0 and no time",
    """
settings = {demand_min=60, net=true}
reads = [{at="00:00"}, {at="01:00", reverse_wh=1_100}]
[expect]
"demand.intervals.w" = [0]
"demand.peak.w" = 0
"demand.peak.at" = "none"
""",
)
case(
    "M3 rolling, T 30, s 10",
    """
settings = {demand_min=30, subinterval_min=10}
reads = [
    {at="00:00"},
    {at="00:10", forward_wh=100},
    {at="00:20", forward_wh=900},
    {at="00:30", forward_wh=1_900},
    {at="00:40", forward_wh=2_500},
    {at="00:50", forward_wh=2_500},
    {at="01:00", forward_wh=2_500},
]
[expect]
"demand.intervals.w" = [200, 1_800, 3_800, 4_800, 3_200, 1_200]
"demand.peak.w" = 4_800
"demand.peak.at" = "00:40"
""",
)
case(
    "M3 s has to divide T",
    """
reads = [{at="00:00"}, {at="00:05"}]
commands = [
    {at="00:01", do="demand", demand_min=15, subinterval_min=4},
    {at="00:02", do="demand", demand_min=20},
    {at="00:03", do="demand", demand_min=30, subinterval_min=15},
]
[expect]
"replies.done" = [false, false, true]
""",
)
case(
    "M4 power up at 10:07:30",
    """
start = "10:07:30"
load = [{from="10:07:30", to="10:30", forward_w=6_000}]
[expect]
"demand.intervals.w" = [3_000, 6_000]
"demand.intervals[10:15].may_set_peak" = true
"demand.intervals[10:15].flags" = ["PARTIAL"]
""",
)
case(
    "M4 a short interval after an outage may set the peak",
    """
start = "09:45"
load = [
    {from="09:45", to="10:00", forward_w=1_200},
    {from="10:00", to="10:15", forward_w=6_000},
]
dark = [{from="09:58", to="10:07"}]
[expect]
"demand.intervals[10:15].w" = 3_200
"demand.intervals[10:15].flags" = ["PF"]
"demand.peak.w" = 3_200
"demand.peak.at" = "10:15"
""",
)
case(
    "M5 rolling: an estimated subinterval blocks its windows",
    """
settings = {demand_min=15, subinterval_min=5}
load = [
    {from="00:00", to="00:50", forward_w=3_600},
    {from="00:15", to="00:20", forward_w=12_000},
]
missed = [{from="00:13", to="00:17"}]
[expect]
"demand.intervals[00:10].may_set_peak" = true
"demand.intervals[00:15].may_set_peak" = false
"demand.intervals[00:20].may_set_peak" = false
"demand.intervals[00:25].may_set_peak" = false
"demand.intervals[00:30].may_set_peak" = false
"demand.intervals[00:35].may_set_peak" = true
"demand.peak.w" = 3_600
""",
)
case(
    "M5 test mode cannot set a peak, its energy counts",
    """
settings = {demand_min=30}
load = [
    {from="00:00", to="02:00", forward_w=2_000},
    {from="01:00", to="01:10", forward_w=30_000},
]
test_mode = [{from="01:00", to="01:10"}]
[expect]
"demand.peak.w" = 2_000
"energy.forward_wh" = 9_000
"hours[02:00].flags" = ["TEST"]
""",
)
case(
    "M5 a meter change cannot set a peak",
    """
settings = {demand_min=60}
reads = [
    {at="00:00"},
    {at="00:30", forward_wh=5_000},
    {at="00:40", forward_wh=10, serial="2"},
    {at="01:00", forward_wh=20},
    {at="02:00", forward_wh=520},
]
[expect]
"demand.peak.w" = 500
"demand.intervals[01:00].may_set_peak" = false
"hours[01:00].flags" = ["CHG"]
"hours[01:00].wh" = 5_010
""",
)
case(
    "M6 a tie keeps the first",
    """
settings = {demand_min=30}
reads = [
    {at="00:00"},
    {at="00:30", forward_wh=1_500},
    {at="01:00", forward_wh=3_000},
    {at="01:30", forward_wh=4_501},
]
[expect]
"demand.peak.w" = 3_002
"demand.peak.at" = "01:30"
""",
)
case(
    "M6 a tie alone",
    """
settings = {demand_min=30}
reads = [{at="00:00"}, {at="00:30", forward_wh=1_500}, {at="01:00", forward_wh=3_000}]
[expect]
"demand.peak.at" = "00:30"
""",
)
case(
    "M7 block reset inside an interval",
    """
start = "14:00"
settings = {demand_min=30}
load = [
    {from="14:00", to="14:30", forward_w=5_000},
    {from="14:30", to="15:00", forward_w=3_000},
]
commands = [{at="14:40", do="reset", id=5}]
[expect]
"demand.previous.w" = 5_000
"demand.previous.at" = "14:30"
"demand.peak.w" = 3_000
"demand.peak.at" = "15:00"
"demand.cumulative_w" = 5_000
"demand.continuous_cumulative_w" = 8_000
"demand.reset_at" = "14:40"
"demand.resets" = 1
""",
)
case(
    "M7 rolling reset clears subintervals",
    """
start = "10:00"
settings = {demand_min=60, subinterval_min=15}
reads = [
    {at="10:00"},
    {at="10:15", forward_wh=900},
    {at="10:30", forward_wh=2_000},
    {at="10:40", forward_wh=2_300},
    {at="10:45", forward_wh=2_700},
    {at="11:00", forward_wh=3_500},
    {at="11:15", forward_wh=3_600},
    {at="11:30", forward_wh=3_700},
    {at="11:45", forward_wh=3_800},
]
commands = [{at="10:40", do="reset", id=1}]
[expect]
"demand.previous.w" = 2_000
"demand.intervals.w" = [900, 2_000, 700, 1_500, 1_600, 1_700, 1_100]
"demand.peak.w" = 1_700
"demand.peak.at" = "11:30"
""",
)
case(
    "M8 repeated and too early",
    """
settings = {reset_lockout="2h"}
load = [{from="00:00", to="06:00", forward_w=1_000}]
commands = [
    {at="01:00", do="reset", id=31},
    {at="01:02", do="reset", id=31},
    {at="02:59", do="reset", id=32},
    {at="03:00", do="reset", id=32},
    {at="05:30", do="reset", id=31},
]
[expect]
"demand.resets" = 2
"replies.done" = [true, false, false, true, false]
"replies[1].reply" = "already done"
"replies[2].reply" = "too soon after the last reset"
""",
)
case(
    "M8 no lock-out",
    """
settings = {reset_lockout=0}
load = [{from="00:00", to="01:00", forward_w=1_000}]
commands = [{at="00:20", do="reset", id=1}, {at="00:21", do="reset", id=2}]
[expect]
"demand.resets" = 2
"demand.cumulative_w" = 1_000
"demand.previous.w" = 0
"demand.previous.at" = "none"
""",
)
case(
    "M8 the lock-out goes through an outage",
    """
settings = {reset_lockout="1h"}
load = [{from="00:00", to="06:00", forward_w=1_000}]
dark = [{from="00:40", to="01:30", keeps="clock"}]
commands = [
    {at="00:35", do="reset", id=1},
    {at="01:31", do="reset", id=2},
    {at="01:40", do="reset", id=3},
]
[expect]
"replies.done" = [true, false, true]
"demand.resets" = 2
""",
)
case(
    "M9 three peaks",
    """
settings = {demand_min=60, reset_lockout=0}
reads = [
    {at="00:00"},
    {at="01:00", forward_wh=5_200},
    {at="02:00", forward_wh=11_300},
    {at="03:00", forward_wh=15_700},
    {at="04:00", forward_wh=19_600},
]
commands = [
    {at="01:10", do="reset", id=1},
    {at="02:10", do="reset", id=2},
    {at="03:10", do="reset", id=3},
]
[expect]
"demand.cumulative_w" = 15_700
"demand.continuous_cumulative_w" = 19_600
"demand.previous.w" = 4_400
"demand.periods.count" = 3
""",
)
case(
    "M10 pickup at 15 min",
    """
start = "18:00"
settings = {demand_min=15, clpu_minutes=10}
load = [
    {from="18:00", to="18:10", forward_w=2_000},
    {from="18:25", to="18:35", forward_w=12_000},
    {from="18:35", to="19:00", forward_w=3_000},
]
dark = [{from="18:10", to="18:25"}]
[expect]
# 18:30: all of its 1 000 Wh are pickup; 18:45: the first 5 min (1 000) are, 10 min at 3 kW are not
"demand.intervals[18:30].w" = 0
"demand.intervals[18:45].w" = 2_000
"demand.peak.w" = 3_000
"demand.peak.at" = "19:00"
"energy.forward_wh" = 3_583
""",
)
case(
    "M10 an outage of 300 s opens nothing, 301 s does",
    """
start = "18:00"
settings = {demand_min=15, clpu_minutes=20}
load = [{from="18:00", to="19:30", forward_w=6_000}]
dark = [{from="18:10", for_s=300}, {from="18:40", for_s=301}]
[expect]
"demand.intervals[18:15].w" = 4_000
"demand.intervals[18:30].w" = 6_000
"demand.intervals[18:45].w" = 4_000
"demand.intervals[19:00].w" = 0
"demand.intervals[19:15].w" = 3_996
""",
)
case(
    "M10 pickup, rolling, reset in the window",
    """
start = "18:00"
settings = {demand_min=30, subinterval_min=10, clpu_minutes=15, reset_lockout=0}
load = [{from="18:00", to="20:00", forward_w=6_000}]
dark = [{from="18:20", to="18:30"}]
commands = [{at="18:50", do="reset", id=1}]
[expect]
# subintervals: 18:10 1000, 18:20 1000, 18:30 dark, 18:40 0 (pickup), 18:50 500, 19:00 1000 ...
"demand.intervals[18:20].w" = 4_000
"demand.intervals[18:30].w" = 4_000
"demand.intervals[18:40].w" = 2_000
"demand.intervals[18:50].w" = 1_000
"demand.intervals[19:00].w" = 2_000
"demand.intervals[19:10].w" = 4_000
"demand.previous.w" = 4_000
"demand.previous.at" = "18:20"
"demand.peak.w" = 6_000
"demand.peak.at" = "19:20"
""",
)
case(
    "M11 rate of the start, rolling",
    """
start = "13:30"
settings = {demand_min=30, subinterval_min=15}
schedule = {weekday="00:00 A, 14:10 B"}
reads = [
    {at="13:30"},
    {at="13:45", forward_wh=100},
    {at="14:00", forward_wh=300},
    {at="14:15", forward_wh=900},
    {at="14:30", forward_wh=1_000},
    {at="14:45", forward_wh=1_300},
]
[expect]
"demand.intervals[14:15].rate" = "A"
"demand.intervals[14:30].rate" = "A"
"demand.intervals[14:45].rate" = "B"
"demand.rate_peaks.A.w" = 1_600
"demand.rate_peaks.B.w" = 800
""",
)
case(
    "M12 freeze",
    """
settings = {demand_min=60}
schedule = {weekday="00:00 A, 01:30 B"}
reads = [{at="00:00"}, {at="01:00", forward_wh=4_400}, {at="02:00", forward_wh=9_400}]
commands = [{at="01:10", do="freeze"}]
[expect]
"demand.frozen.count" = 1
"demand.frozen.peak.w" = 4_400
"demand.frozen.peak.at" = "01:00"
"demand.frozen.total.wh" = 4_400
"demand.frozen.rates.A.wh" = 4_400
"demand.peak.w" = 5_000
"demand.resets" = 0
""",
)
case(
    "M12 two freezes and a reset between",
    """
settings = {demand_min=30}
load = [
    {from="00:00", to="01:00", forward_w=4_000},
    {from="01:00", to="02:00", forward_w=5_000},
]
commands = [
    {at="00:45", do="freeze"},
    {at="00:50", do="reset", id=1},
    {at="01:45", do="freeze"},
]
[expect]
"demand.frozen.count" = 2
"demand.frozen.peak.w" = 5_000
"demand.frozen.peak.at" = "01:30"
"demand.previous.w" = 4_000
""",
)
case(
    "M13 coincident voltage of the peak's interval",
    """
start = "16:00"
settings = {demand_min=60}
load = [
    {from="16:00", to="17:00", forward_w=9_000},
    {from="17:00", to="19:00", forward_w=3_000, reverse_w=500},
]
voltage = [
    {from="16:00", to="17:00", v=236.4},
    {from="17:00", to="18:00", v=240.0},
    {from="18:00", to="19:01", v=230.0},
]
[expect]
"demand.peak.at" = "17:00"
"demand.coincident.reverse_w" = 0
"demand.coincident.voltage_dv" = 2_364
""",
)
case(
    "M14 intervals from power-up are dated back",
    """
start = "09:11:20"
settings = {demand_min=5}
clock = {known=false}
load = [
    {from=0, to="+5min", forward_w=6_000},
    {from="+5min", to="+10min", forward_w=9_000},
    {from="+10min", to="+30min", forward_w=3_000},
]
sync = [{at="+12min", says="2027-06-01 14:00:30"}]
[expect]
# power-up was 13:48:30; ends at 300 and 600 s are 13:53:30 and 13:58:30
"demand.intervals.w" = [6_000, 9_000, 1_200, 2_700, 3_000, 3_000]
"demand.peak.at" = "13:58:30"
"demand.peak.w" = 9_000
"demand.intervals[14:00:30].flags" = ["PARTIAL", "TIME"]
"demand.intervals[14:00:30].may_set_peak" = false
""",
)
case(
    "M14 never a time, and still a peak",
    """
clock = {known=false}
load = [
    {from=0, to="+15min", forward_w=6_000},
    {from="+15min", to="+30min", forward_w=9_000},
    {from="+30min", to="+50min", forward_w=3_000},
]
[expect]
"clock.known" = false
"demand.peak.w" = 9_000
"demand.peak.at" = "none"
"demand.peak.uptime_s" = 1_800
"demand.last_w" = 3_000
"intervals.count" = 0
"unplaced_wh" = 4_750
""",
)
case(
    "M14 a peak from a long unknown time is dated back, the energy is not",
    """
ticks = false
settings = {demand_min=15}
clock = {known=false}
schedule = {weekday="00:00 A, 02:00 B"}
load = [
    {from=0, to="+40h", forward_w=600},
    {from="+2h", to="+2h 15min", forward_w=7_000, reverse_w=400},
]
sync = [{at="+40h", says="2027-06-03 06:00"}]
end = "+40h 10min"
[expect]
# power-up was 14:00 on the 1st: the peak ended at 16:15
"demand.peak.w" = 7_600
"demand.peak.at" = "2027-06-01 16:15"
"demand.peak.uptime_s" = "none"
"demand.rate_peaks.B.w" = 7_600
"demand.coincident.reverse_w" = 400
"energy.forward_wh" = 25_750
""",
)
case(
    "M14 unknown, with an outage, a gap and a reset",
    """
clock = {known=false}
settings = {reset_lockout=0}
load = [
    {from=0, to="+2h", forward_w=4_000},
    {from="+20min", to="+25min", forward_w=20_000},
    {from="+50min", to="+55min", forward_w=20_000},
]
dark = [{from="+26min", to="+28min"}]
missed = [{from="+51min", to="+56min"}]
commands = [{at="+66min", do="reset", id=1}]
[expect]
"demand.peak.w" = 4_000
"demand.peak.at" = "none"
"demand.peak.uptime_s" = 4_500
""",
)

case(
    "M14 the first answer comes late, then the demand interval changes",
    """
clock = {known=false}
load = [{from=0, to="+3h", forward_w=4_000}]
missed = [{from=0, to="+70min"}]
commands = [{at="+110min", do="demand", demand_min=30}]
[expect]
"demand.peak.w" = 4_000
"demand.peak.uptime_s" = 9_000
"demand.last_w" = 4_000
""",
)
# ---- T
case(
    "T1 restart two seconds before a switch",
    """
start = "20:50"
schedule = {weekday="00:00 A, 07:00 B, 21:00 A"}
load = [{from="20:50", to="21:10", forward_w=3_600}]
restarts = [{at="20:59:58", back="21:00:03", cause="watchdog"}]
[expect]
"rates.B.wh" = 600
"rates.A.wh" = 600
"tou.rate_now" = "A"
""",
)
case(
    "T2 holiday on a Saturday with an event",
    """
start = "2027-12-25 15:00"
schedule = {weekday="00:00 A", saturday="00:00 B", holiday="00:00 C", holidays=["2027-12-25"]}
critical_peaks = [{from="17:00", to="18:00", rate="D"}]
load = [{from="15:00", to="19:00", forward_w=1_000}]
[expect]
"rates.A.wh" = 0
"rates.B.wh" = 0
"rates.C.wh" = 3_000
"rates.D.wh" = 1_000
""",
)
case(
    "T2 four day types in four days",
    """
ticks = false
start = "2027-07-02 00:00"
schedule = {weekday="00:00 A", saturday="00:00 B", sunday="00:00 C", holiday="00:00 D", holidays=[
    "2027-07-05"]}
load = [{from="2027-07-02", to="2027-07-06 12:00", forward_w=1_000}]
polls = [{every="1h"}]
[expect]
"rates.A.wh" = 36_000
"rates.B.wh" = 24_000
"rates.C.wh" = 24_000
"rates.D.wh" = 24_000
""",
)
case(
    "T3 Friday to Saturday",
    """
start = "2027-06-04 23:15"
schedule = {weekday="00:00 A, 21:00 C", saturday="00:00 B"}
reads = [{at="23:15"}, {at="+1d 00:45", forward_wh=1_001}]
[expect]
"rates.C.wh" = 500
"rates.B.wh" = 501
"estimated_wh" = 1_001
""",
)
case(
    "T4 spring 2028 in Chicago",
    """
start = "2028-03-12 00:00"
site = {zone="Central"}
schedule = {weekday="00:00 A, 02:30 B, 06:00 A"}
load = [{from="2028-03-12", to="2028-03-13", forward_w=1_200}]
[expect]
"rates.B.wh" = 3_600
"rates.A.wh" = 24_000
"hours.count" = 23
""",
)
case(
    "T4 autumn 2028 in Los Angeles",
    """
start = "2028-11-05 00:00"
site = {zone="Pacific"}
schedule = {weekday="00:00 A, 01:15 B, 01:45 C, 03:00 A"}
load = [{from="2028-11-05", to="2028-11-06", forward_w=1_200}]
[expect]
# B 30 min twice; C 15 min, then 01:45-03:00
"rates.B.wh" = 1_200
"rates.C.wh" = 1_800
"rates.A.wh" = 27_000
"hours.count" = 25
""",
)
case(
    "T4 no daylight time in Arizona",
    """
start = "2027-03-14 00:00"
site = {zone="Mountain", dst=false}
schedule = {weekday="00:00 A, 02:15 B, 05:00 A"}
load = [{from="2027-03-14", to="2027-03-15", forward_w=1_200}]
[expect]
"rates.B.wh" = 3_300
"rates.A.wh" = 25_500
"hours.count" = 24
""",
)
case(
    "T4 an outage across the end of daylight time and a switch",
    """
start = "2027-11-07 00:30"
site = {zone="Eastern"}
settings = {interval_min=30}
schedule = {weekday="00:00 A, 01:30 B, 02:30 A"}
load = [{from="2027-11-07 00:30", to="2027-11-07 04:00", forward_w=3_600}]
dark = [{from="2027-11-07T05:40Z", to="2027-11-07T06:45Z"}]
[expect]
# EDT until 06:00Z; lit 04:30Z-05:40Z, 06:45Z-09:00Z. B: 05:30-05:40Z and 06:45-07:30Z
"rates.B.wh" = 3_300
"rates.A.wh" = 9_000
"intervals.wh" = [1_800, 1_800, 600, 0, 900, 1_800, 1_800, 1_800, 1_800]
"intervals[2027-11-07T06:00Z].flags" = ["PF", "DST"]
"intervals[2027-11-07T06:30Z].flags" = ["PF", "DARK"]
"intervals[2027-11-07T07:00Z].flags" = ["PF"]
""",
)
case(
    "T5 estimated, B to A and back in the gap",
    """
schedule = {weekday="00:00 B, 10:00 A, 10:20 B"}
start = "09:40"
reads = [{at="09:40"}, {at="10:40", forward_wh=600}, {at="10:41", forward_wh=610}]
[expect]
"rates.A.wh" = 200
"rates.B.wh" = 410
"estimated_wh" = 600
""",
)
case(
    "T5 a gap of two polls is no estimate",
    """
schedule = {weekday="00:00 B, 10:00 A"}
start = "09:59"
reads = [{at="09:59"}, {at="10:01", forward_wh=60}]
[expect]
"rates.A.wh" = 30
"rates.B.wh" = 30
"estimated_wh" = 0
""",
)
case(
    "T6 outage across the switch",
    """
start = "20:50"
schedule = {weekday="00:00 B, 21:00 A"}
reads = [{at="20:50"}, {at="20:57"}, {at="23:14", forward_wh=90}]
dark = [{from="20:59", to="23:13", keeps="clock"}]
[expect]
# lit 2 min before, 1 min after
"rates.B.wh" = 60
"rates.A.wh" = 30
""",
)
case(
    "T7 an event ends in the dark, over midnight",
    """
start = "2027-06-01 22:00"
schedule = {weekday="00:00 A, 06:00 B"}
critical_peaks = [{from="23:00", to="+1d 01:00", rate="D"}]
load = [{from="22:00", to="+1d 02:00", forward_w=3_600}]
dark = [{from="+1d 00:30", to="+1d 01:15"}]
[expect]
"rates.D.wh" = 5_400
"rates.A.wh" = 2_700
"rates.B.wh" = 3_600
""",
)
case(
    "T7 an event survives a restart and can be cancelled before, not after",
    """
start = "12:00"
schedule = {weekday="00:00 A"}
load = [{from="12:00", to="18:00", forward_w=1_000}]
restarts = [{at="12:30", cause="crash"}]
commands = [
    {at="12:10", do="critical_peak", from="13:00", to="14:00"},
    {at="12:11", do="critical_peak", from="15:00", to="16:00", rate="C"},
    {at="12:40", do="cancel_critical_peak", from="15:00"},
    {at="13:20", do="cancel_critical_peak", from="13:00"},
]
[expect]
"rates.D.wh" = 1_000
"rates.C.wh" = 0
"replies.done" = [true, true, true, true, false]
""",
)
case(
    "T7 an event that has begun is not cancelled unseen",
    """
start = "12:00"
schedule = {weekday="00:00 A"}
reads = [{at="12:00"}, {at="14:00", forward_wh=2_000}]
commands = [
    {at="12:10", do="critical_peak", from="13:00", to="14:00"},
    {at="13:20", do="cancel_critical_peak", from="13:00"},
]
[expect]
"rates.D.wh" = 1_000
"rates.A.wh" = 1_000
"replies[2].done" = false
""",
)
case(
    "T8 dated back over two switches",
    """
start = "03:00"
clock = {known=false}
schedule = {weekday="00:00 A, 07:00 B, 07:10 C"}
load = [{from=0, to="+40min", forward_w=3_600}]
sync = [{at="+1000s", says="2027-06-01 07:12"}]
[expect]
# power-up at 06:55:20: 280 s A, 600 s B, the rest C
"rates.A.wh" = 280
"rates.B.wh" = 600
"rates.C.wh" = 1_520
"unplaced_wh" = 0
""",
)
case(
    "T8 power fails again before the time",
    """
start = "03:00"
clock = {known=false}
schedule = {weekday="00:00 A", fallback="C"}
load = [{from=0, to="+40min", forward_w=3_600}]
dark = [{from="+600s", to="+700s", keeps="nothing"}]
sync = [{at="+1000s", says="2027-06-01 07:12"}]
[expect]
"rates.C.wh" = 600
"rates.A.wh" = 1_700
"unplaced_wh" = 0
"estimated_wh" = 600
"total.wh" = 2_300
""",
)
case(
    "T8 the time never comes",
    """
clock = {known=false}
schedule = {weekday="00:00 A"}
load = [{from=0, to="+10min", forward_w=3_600}]
[expect]
"rates.A.wh" = 0
"unplaced_wh" = 600
"total.wh" = 600
"tou.rate_now" = "none"
""",
)
case(
    "T8 ten hours without a time, then a sync",
    """
clock = {known=false}
schedule = {weekday="00:00 A, 05:00 B"}
load = [{from=0, to="+10h", forward_w=1_000}]
sync = [{at="+10h"}]
end = "+10h 5min"
[expect]
"rates.A.wh" = 5_000
"rates.B.wh" = 5_000
"unplaced_wh" = 0
"estimated_wh" = 0
""",
)
case(
    "T8 thirty hours without a time: a day waits, the rest gets the fallback",
    """
ticks = false
settings = {demand_min=60}
clock = {known=false}
schedule = {weekday="00:00 A", fallback="D"}
load = [{from=0, to="+30h", forward_w=1_000}]
sync = [{at="+30h"}]
end = "+30h 5min"
[expect]
"total.wh" = 30_000
"rates.A.wh" = 27_000
"rates.D.wh" = 3_000
"estimated_wh" = 3_000
"unplaced_wh" = 0
""",
)
case(
    "T9 expiry, with a holiday after it",
    """
start = "2027-06-30 23:00"
schedule = {weekday="00:00 C", holiday="00:00 D", holidays=[
    "2027-07-01"], fallback="B", valid_through="2027-06-30"}
reads = [{at="23:00"}, {at="23:40", forward_wh=100}, {at="+1d 00:20", forward_wh=140}]
[expect]
"rates.C.wh" = 120
"rates.B.wh" = 20
"rates.D.wh" = 0
"tou.expired" = true
"events[TOU_EXPIRED].event" = "TOU_EXPIRED"
""",
)
case(
    "T10 activation while the module is off",
    """
start = "11:00"
schedule = {id=1, weekday="00:00 A"}
schedules = {n={id=2, weekday="00:00 B"}}
commands = [{at="11:10", do="schedule", schedule="n", from="12:00"}]
load = [{from="11:00", to="13:00", forward_w=3_600}]
dark = [{from="11:50", to="12:10", keeps="nothing"}]
sync = [{at="12:20"}]
[expect]
"rates.A.wh" = 3_000
"rates.B.wh" = 3_000
"tou.schedule" = 2
"tou.pending" = "none"
""",
)
case(
    "T10 activation inside a poll gap",
    """
start = "11:00"
schedule = {id=1, weekday="00:00 A"}
schedules = {n={id=2, weekday="00:00 B"}}
commands = [{at="11:10", do="schedule", schedule="n", from="12:00:30"}]
reads = [{at="11:00"}, {at="12:00"}, {at="12:01", forward_wh=120}]
[expect]
"rates.A.wh" = 60
"rates.B.wh" = 60
"estimated_wh" = 0
""",
)
case(
    "T10 replaced, then cancelled",
    """
start = "11:00"
schedule = {id=1, weekday="00:00 A"}
schedules = {n={id=2, weekday="00:00 B"}, o={id=3, weekday="00:00 C"}}
commands = [
    {at="11:10", do="schedule", schedule="n", from="12:00"},
    {at="11:20", do="schedule", schedule="o", from="12:30"},
    {at="12:10", do="cancel_schedule"},
    {at="12:15", do="cancel_schedule"},
]
load = [{from="11:00", to="13:00", forward_w=1_000}]
[expect]
"rates.A.wh" = 2_000
"replies.done" = [true, true, true, true, false]
"tou.schedule" = 1
""",
)
case(
    "T10 one that has begun is not cancelled or replaced unseen",
    """
start = "11:00"
schedule = {id=1, weekday="00:00 A"}
schedules = {n={id=2, weekday="00:00 B"}, o={id=3, weekday="00:00 C"}}
commands = [
    {at="11:10", do="schedule", schedule="n", from="12:00"},
    {at="12:10", do="cancel_schedule"},
    {at="12:11", do="schedule", schedule="o", from="14:00"},
]
reads = [{at="11:00"}, {at="11:30", forward_wh=500}, {at="13:00", forward_wh=2_000}]
[expect]
"rates.A.wh" = 1_000
"rates.B.wh" = 1_000
"replies.done" = [true, true, false, false]
""",
)
for what, key in (
    ("no midnight", 'weekday="00:30 A"'),
    ("rate E", 'weekday="00:00 E"'),
    ("times unordered", 'weekday="00:00 A, 09:00 B, 08:00 C"'),
    ("damaged", 'weekday="00:00 B", damaged=true'),
    ("third rate of two", 'rates=2, weekday="00:00 A, 06:00 C"'),
):
    case(
        f"T10 invalid is refused whole: {what}",
        f"""
start = "11:00"
schedule = {{id=1, weekday="00:00 A"}}
schedules = {{n={{id=2, {key}}}}}
commands = [{{at="11:10", do="schedule", schedule="n", from="11:30"}}]
load = [{{from="11:00", to="12:00", forward_w=1_000}}]
[expect]
"rates.A.wh" = 1_000
"replies[1].done" = false
"tou.schedule" = 1
""",
    )
case(
    "T11 net per rate, one negative",
    """
start = "06:00"
settings = {net=true}
schedule = {weekday="00:00 A, 07:00 C"}
reads = [
    {at="06:00"},
    {at="07:00", forward_wh=800, reverse_wh=50},
    {at="08:00", forward_wh=900, reverse_wh=770},
]
[expect]
"rates.A.wh" = 750
"rates.C.wh" = -620
"rates.C.dial" = "99999"
"rates.C.sign" = "-"
"total.wh" = 130
""",
)
case(
    "T11 detent No per rate; a new schedule moves nothing",
    """
start = "06:00"
settings = {detent=false}
schedule = {id=1, weekday="00:00 A, 07:00 C"}
schedules = {n={id=2, weekday="00:00 B"}}
commands = [{at="08:00", do="schedule", schedule="n"}]
reads = [
    {at="06:00"},
    {at="07:00", forward_wh=800, reverse_wh=50},
    {at="08:00", forward_wh=900, reverse_wh=770},
    {at="09:00", forward_wh=901, reverse_wh=772},
]
[expect]
"rates.A.wh" = 850
"rates.C.wh" = 820
"rates.B.wh" = 3
""",
)
case(
    "R82 a rate rolls over alone",
    """
meter = {largest_kw=100_000}
start = "06:00"
schedule = {weekday="00:00 A, 07:00 B"}
reads = [
    {at="06:00"},
    {at="07:00", forward_wh=99_999_000},
    {at="07:01", forward_wh=99_999_500},
    {at="07:02", forward_wh=1_000_500},
]
[expect]
"rates.A.dial" = "99999"
"rates.B.wh" = 1_001_500
"rates.B.dial" = "01001"
""",
)
case(
    "T12 29 February 2028 is a Tuesday",
    """
start = "2028-02-29 08:00"
schedule = {weekday="00:00 B", saturday="00:00 A", sunday="00:00 A"}
load = [{from="08:00", to="09:00", forward_w=1_000}]
[expect]
"rates.B.wh" = 1_000
""",
)
case(
    "T12 the season that wraps the year",
    """
start = "2027-12-31 22:00"
schedule = {seasons=[
    {from="03-31", weekday="00:00 A"}, {from="11-01", weekday="00:00 D, 23:00 C"}]}
load = [{from="22:00", to="+1d 01:00", forward_w=1_000}]
[expect]
"rates.D.wh" = 2_000
"rates.C.wh" = 1_000
"rates.A.wh" = 0
""",
)
case(
    "N3 the shadow of a pending schedule",
    """
start = "06:00"
schedule = {id=1, weekday="00:00 A"}
schedules = {n={id=2, weekday="00:00 B, 09:00 C"}}
commands = [{at="07:00", do="schedule", schedule="n", from="2027-06-02 00:00"}]
load = [{from="06:00", to="10:00", forward_w=1_000}]
[expect]
"rates.A.wh" = 4_000
"shadow.B" = 2_000
"shadow.C" = 1_000
""",
)
case(
    "N8 energy at risk around a switch, both sides",
    """
start = "06:00"
settings = {drift_ppm=0}
clock = {bound_s=30}
schedule = {weekday="00:00 A, 07:00 B"}
load = [{from="06:00", to="08:00", forward_w=3_600}]
[expect]
"at_risk_wh.A" = 30
"at_risk_wh.B" = 30
"clock.error_bound_s" = 30
""",
)
# ---- L
case(
    "L1 autumn day, half hours",
    """
start = "2027-11-07 00:00"
site = {zone="Eastern"}
settings = {interval_min=30}
load = [{from="2027-11-07", to="2027-11-08", forward_w=1_000}]
[expect]
"intervals.count" = 50
"intervals[2027-11-07T05:30Z].local" = "2027-11-07 01:30:00-0400"
"intervals[2027-11-07T06:30Z].local" = "2027-11-07 01:30:00-0500"
"intervals[2027-11-07T05:30Z].flags" = ["DST"]
"intervals[2027-11-07T06:00Z].flags" = ["DST"]
"intervals[2027-11-07T06:30Z].flags" = []
""",
)
case(
    "L1 spring day, quarter hours and five minutes",
    """
start = "2027-03-14 00:00"
site = {zone="Eastern"}
settings = {interval_min=5}
load = [{from="2027-03-14", to="2027-03-15", forward_w=1_200}]
[expect]
"intervals.count" = 276
"intervals[2027-03-14T07:00Z].local" = "2027-03-14 03:00:00-0400"
"intervals[2027-03-14T07:00Z].flags" = []
"intervals[2027-03-14T07:05Z].flags" = ["DST"]
""",
)
case(
    "L2 dark hours at quarter hours",
    """
start = "09:00"
settings = {interval_min=15}
load = [{from="09:00", to="10:00", forward_w=3_600}]
dark = [{from="09:05", to="09:50"}]
[expect]
"intervals.wh" = [300, 0, 0, 600]
"intervals.flags" = [["PF"], ["PF", "DARK"], ["PF", "DARK"], ["PF"]]
""",
)
case(
    "L2 dark exactly one hour",
    """
start = "09:00"
load = [{from="09:00", to="12:00", forward_w=1_000}]
dark = [{from="10:00", to="11:00"}]
[expect]
"hours.wh" = [1_000, 0, 1_000]
"hours.flags" = [[], ["PF", "DARK"], []]
""",
)
case(
    "L3 register and profile agree over a rollover and in the dark",
    """
start = "09:00"
meter = {forward_wh=99_999_700}
load = [{from="09:00", to="13:00", forward_w=600}]
dark = [{from="10:50", to="12:10"}]
[expect]
"hours.wh" = [600, 500, 0, 500]
"hours.register_wh" = [300, 800, 800, 1_300]
""",
)
case(
    "L4 forward at half hours",
    """
start = "08:00"
settings = {interval_min=30}
load = [{from="08:00", to="09:00", forward_w=6_000}]
sync = [{at="08:20", says="09:40"}]
[expect]
# then 40 min to 10:20
"intervals.wh" = [2_000, 0, 0, 2_000]
"intervals.flags" = [["PARTIAL", "TIME"], ["SKIPPED"], ["SKIPPED"], ["PARTIAL", "TIME"]]
"intervals[08:30].covered_s" = 1_200
""",
)
case(
    "L4 backward at quarter hours",
    """
start = "09:00"
settings = {interval_min=15}
load = [{from="09:00", to="10:00", forward_w=6_000}]
sync = [{at="09:20", says="09:05"}]
[expect]
# 09:15 is closed; 09:30 has 5 min + 25 min
"intervals.wh" = [1_500, 3_000, 1_500]
"intervals[09:30].flags" = ["LONG", "TIME"]
"demand.intervals[09:30].may_set_peak" = false
"demand.peak.w" = 6_000
""",
)
case(
    "L4 backward inside one interval",
    """
start = "09:00"
load = [{from="09:00", to="11:00", forward_w=6_000}]
sync = [{at="09:40", says="09:30"}]
[expect]
"hours.wh" = [7_000]
"hours.flags" = [["LONG", "TIME"]]
"hours.covered_s" = [4_200]
""",
)
case(
    "L6 minimum, profile mode",
    """
start = "00:00"
commands = [{at="00:00", do="stream", mode="profile", extreme="minimum"}]
load = [{from="00:00", to="24:00", forward_w=1_000}]
voltage = [{from="00:00", to="24:00", v=240.0}, {at="05:30:20", v=233.3}]
polls = [{to="24:00"}]
[expect]
"streaming.hours.count" = 24
"streaming.hours[06:00].dv" = 2_333
"streaming.hours[07:00].dv" = 2_400
"streaming.hours[06:00].wh" = 1_000
"streaming.extreme" = "minimum"
""",
)
case(
    "L6 firmware 11 cannot stream",
    """
settings = {firmware=11}
reads = [{at="00:00"}, {at="00:02"}]
commands = [{at="00:01", do="stream", mode="profile"}]
[expect]
"replies.done" = [false]
"streaming.mode" = "off"
""",
)
case(
    "G2 the collector cannot",
    """
reads = [{at="00:00"}, {at="00:02"}]
commands = [
    {at="00:01", do="stream", mode="profile", collector=false},
    {at="00:01", do="stream", mode="register", headend=false},
]
[expect]
"replies.done" = [false, false]
""",
)
case(
    "R36 streaming survives a power cut",
    """
reads = [{at="00:00"}, {at="01:00", forward_wh=5}, {at="03:00", forward_wh=10}]
dark = [{from="01:30", to="01:40", keeps="nothing"}]
sync = [{at="01:45"}]
commands = [{at="00:01", do="stream", mode="profile", extreme="maximum"}]
[expect]
"streaming.mode" = "profile"
"streaming.extreme" = "maximum"
""",
)
# ---- V
case(
    "V1 artefacts at 120 V do not set OOR",
    """
start = "10:00"
meter = {form="12S"}
load = [{from="10:00", to="12:00", forward_w=1_000}]
dark = [{from="10:30", to="10:50"}]
voltage = [
    {at="10:05:30", v=118.4},
    {at="10:20:30", v=113.7},
    {at="10:29:59.6", v=71.0},
    {at="10:50:01", v=95.2},
    {at="10:51:30", v=120.6},
]
[expect]
"hours[11:00].minimum_dv" = 1_137
"hours[11:00].maximum_dv" = 1_206
"hours[11:00].flags" = ["PF"]
"hours[12:00].flags" = []
""",
)
case(
    "V1 a real sag while energised counts and is out of limits",
    """
start = "10:00"
meter = {form="2S"}
load = [{from="10:00", to="12:00", forward_w=1_000}]
dark = [{from="10:30", to="10:50"}]
voltage = [
    {at="10:05:30", v=241.0},
    {at="10:29:58.9", v=180.0},
    {at="10:50:02.1", v=250.0},
    {at="11:10:30", v=240.0},
]
[expect]
"hours[11:00].minimum_dv" = 1_800
"hours[11:00].maximum_dv" = 2_500
"hours[11:00].flags" = ["PF", "OOR"]
"hours[12:00].flags" = []
""",
)
case(
    "V1 limits at 240 V, OOR in its own quarter hour only",
    """
start = "10:00"
settings = {interval_min=15}
load = [{from="10:00", to="11:00", forward_w=1_000}]
voltage = [
    {from="10:00", to="11:01", v=240.0},
    {at="10:14:30", v=191.9},
    {at="10:40:30", v=288.0},
    {at="10:50:30", v=288.1},
]
[expect]
"intervals.flags" = [["OOR"], [], [], ["OOR"]]
"hours[11:00].minimum_dv" = 1_919
"hours[11:00].maximum_dv" = 2_881
""",
)
case(
    "V1 a sample at the end of a quarter hour flags that one",
    """
start = "10:00"
settings = {interval_min=15}
load = [{from="10:00", to="11:00", forward_w=1_000}]
voltage = [{at="10:05:30", v=240.0}, {at="10:14:57", v=150.0}, {at="10:15:00.5", v=240.0}]
[expect]
"intervals.flags" = [["OOR"], [], [], []]
""",
)
case(
    "V2 no sample in an hour, a single one in the next",
    """
start = "10:00"
load = [{from="10:00", to="12:00", forward_w=1_000}]
voltage = [{at="11:30", v=239.4}]
[expect]
"hours[11:00].minimum_dv" = "none"
"hours[11:00].average_dv" = "none"
"hours[12:00].minimum_dv" = 2_394
"hours[12:00].maximum_dv" = 2_394
""",
)
case(
    "V4 mean, half up",
    """
start = "10:00"
meter = {form="12S"}
load = [{from="10:00", to="11:00", forward_w=1_000}]
voltage = [{at="10:10", v=120.0}, {at="10:20", v=120.1}]
[expect]
"hours[11:00].average_dv" = 1_201
""",
)
case(
    "N9 minutes outside A and B, and the worst",
    """
start = "10:00"
meter = {form="12S"}
load = [{from="10:00", to="+1d 00:05", forward_w=1_000}]
voltage = [
    {from="10:00", to="12:00", v=120.0},
    {from="12:00", to="12:10", v=112.0},
    {from="12:10", to="13:00", v=120.0},
    {from="13:00", to="13:05", v=128.5},
    {from="13:05", to="+1d 00:06", v=121.0},
]
[expect]
"voltage.days.count" = 1
"voltage.days[0].outside_a_min" = 15
"voltage.days[0].outside_b_min" = 5
"voltage.days[0].minimum_dv" = 1_120
"voltage.days[0].minimum_at" = "12:00"
"voltage.days[0].maximum_dv" = 1_285
"voltage.days[0].maximum_at" = "13:00"
"voltage.worst[0].worst_dv" = 1_285
"voltage.worst[0].seconds" = 300
"voltage.worst[1].worst_dv" = 1_120
"voltage.worst[1].seconds" = 600
""",
)
# ---- C
case(
    "C1 the spring instant",
    """
start = "2027-03-14T06:30Z"
site = {zone="Eastern"}
load = [{from="2027-03-14T06:30Z", to="2027-03-14T08:00Z", forward_w=1_000}]
[expect]
"hours[0].end" = "2027-03-14T07:00:00Z"
"hours[0].local" = "2027-03-14 03:00:00-0400"
"hours.flags" = [["PARTIAL"], ["DST"]]
"hours.covered_s" = [1_800, 3_600]
""",
)
for by, flags in ((14, "[]"), (-14, "[]"), (15, '["PARTIAL", "TIME"]'), (-15, '["LONG", "TIME"]')):
    case(
        f"C3 a correction of {by} s inside an hour",
        f"""
start = "08:00"
load = [{{from="08:00", to="09:01", forward_w=3_600}}]
sync = [{{at="08:20", error_s={by}}}]
[expect]
"hours[0].flags" = {flags}
"hours[0].wh" = {3600 - by}
""",
    )
case(
    "C3 a settable threshold, and the event",
    """
start = "08:00"
settings = {time_flag_threshold=60}
load = [{from="08:00", to="10:00", forward_w=3_600}]
sync = [{at="08:20", error_s=-59}, {at="09:20", error_s=1}]
[expect]
"hours[08:00:00].flags" = "no row"
"hours[09:00].flags" = []
"hours[10:00].flags" = ["PARTIAL", "TIME"]
"events[CLOCK_STEPPED].a" = 1_811_841_541
"events[CLOCK_STEPPED].b" = 1_811_841_601
""",
)
case(
    "C3 a small correction crosses no boundary twice",
    """
start = "08:00"
settings = {interval_min=15}
load = [{from="08:00", to="09:00", forward_w=3_600}]
sync = [{at="08:15:05", error_s=-10}]
[expect]
"intervals.count" = 3
"intervals[08:15].wh" = 900
"intervals[08:30].flags" = []
"intervals[08:30].wh" = 910
""",
)
case(
    "C4 plausibility is by elapsed time, 2SE",
    """
meter = {form="2SE"}
reads = [{at="00:00"}, {at="00:01", forward_wh=1_931}]
sync = [{at="00:00:30", error_s=7_200}]
[expect]
"energy.forward_wh" = 0
"reads.suspect" = 1
""",
)
case(
    "C5 three days with the change",
    """
start = "2027-11-06 00:00"
site = {zone="Eastern"}
ticks = false
load = [{from="2027-11-06", to="2027-11-09", forward_w=1_000}]
polls = [{every="15min"}]
[expect]
"hours.count" = 73
"hours.wh" = ["""
    + ", ".join(["1_000"] * 73)
    + """]
"events[CLOCK_STEPPED]" = "no row"
""",
)
case(
    "C6 a meter clock 45 min fast moves nothing",
    """
start = "07:00"
meter = {clock_offset_s=2_700}
schedule = {weekday="00:00 A, 08:00 B"}
load = [{from="07:00", to="08:30", forward_w=1_200}]
[expect]
"clock.meter_clock_difference_s" = 2_700
"rates.A.wh" = 1_200
"rates.B.wh" = 600
""",
)
case(
    "C7 a message 43 s old",
    """
start = "11:00"
clock = {known=false}
load = [{from="11:00", to="12:30", forward_w=1_200}]
sync = [{at="12:00:43", says="12:00:00", delay_s=43}]
[expect]
"clock.utc" = "12:30"
"hours.wh" = [1_200]
""",
)
# ---- O
case(
    "O2 groups",
    """
load = [{from=0, to="+3h", forward_w=60}]
dark = [
    {from="+60s", for_s=5},
    {from="+359s", for_s=1},
    {from="+361s", for_s=10},
    {from="+1h", for_s=300},
    {from="+2h", for_s=301},
]
[expect]
"outages.power_fail" = 5
"outages.blink" = 4
"outages.sustained" = 1
"outages.momentary_event" = 3
"outages.dark_seconds" = 617
""",
)
case(
    "O2 a sustained one swallows the group",
    """
load = [{from=0, to="+3h", forward_w=60}]
dark = [{from="+60s", for_s=4}, {from="+200s", for_s=2}, {from="+360s", for_s=900}]
[expect]
"outages.power_fail" = 3
"outages.blink" = 2
"outages.sustained" = 1
"outages.momentary_event" = 0
"outages.dark_seconds" = 906
""",
)
case(
    "O2 exactly 300 s after the first is in the group, 301 s is not",
    """
load = [{from=0, to="+3h", forward_w=60}]
dark = [
    {from="+60s", for_s=4},
    {from="+360s", for_s=400},
    {from="+1h", for_s=4},
    {from="+3901s", for_s=400},
]
[expect]
"outages.momentary_event" = 1
"outages.sustained" = 2
""",
)
case(
    "O2 counters survive a power cut and a demand reset",
    """
load = [{from=0, to="+3h", forward_w=60}]
dark = [{from="+10min", for_s=4}, {from="+1h", for_s=60, keeps="clock"}]
commands = [{at="+90min", do="reset", id=1}]
restarts = [{at="+2h", cause="reflash"}]
[expect]
"outages.power_fail" = 2
"outages.blink" = 2
"outages.dark_seconds" = 64
"restarts.reflash" = 1
""",
)
case(
    "O3 pending until the sync",
    """
start = "03:00"
reads = [{at="03:00"}, {at="05:01", forward_wh=5}]
dark = [{from="03:10", to="05:00", keeps="nothing"}]
[expect]
"outages.pending" = 1
"outages.power_fail" = 0
"outages.log[0].seconds" = "none"
"outages.log[0].start" = "03:10"
"clock.known" = false
""",
)
case(
    "O3 resolved as momentary",
    """
start = "03:00"
reads = [{at="03:00"}, {at="03:15", forward_wh=5}, {at="03:30"}]
dark = [{from="03:10", to="03:14", keeps="nothing"}]
sync = [{at="03:20"}]
[expect]
"outages.pending" = 0
"outages.blink" = 1
"outages.log[0].seconds" = 240
"outages.dark_seconds" = 240
""",
)
case(
    "O4 two outages and one watchdog",
    """
load = [{from=0, to="+1h", forward_w=600}]
dark = [{from="+5min", to="+6min"}, {from="+20min", to="+30min"}]
restarts = [{at="+40min", cause="watchdog"}]
[expect]
"outages.power_fail" = 2
"restarts.watchdog" = 1
"energy.forward_wh" = 490
""",
)
case(
    "O5 fifteen interruptions",
    """ticks = false
load = [{from=0, to="+20h", forward_w=60}]
polls = [{every="10min"}]
dark = ["""
    + ", ".join(f"{{from='+{h}h 5min', for_s={h + 10}}}" for h in range(1, 16))
    + """]
[expect]
"outages.overflow" = 3
"outages.power_fail" = 15
"outages.log.count" = 12
"outages.log[0].seconds" = 14
"outages.log[11].seconds" = 25
""",
)
case(
    "O6 a lost record at the cut loses no energy",
    """
load = [{from=0, to="+1h", forward_w=3_600}]
dark = [{from="+10min 30s", to="+20min", keeps="nothing", committed=false}]
sync = [{at="+21min"}]
[expect]
"energy.forward_wh" = 3_030
"outages.power_fail" = 0
""",
)
# ---- F, P
case(
    "F1-2 forms",
    """
ask = [
    {form="3S", voltage=120},
    {form="3S", voltage=240},
    {form="3S"},
    {form="12S", voltage=240},
    {form="9S", voltage=240},
    {form="1S", voltage=240},
    {form="25S", voltage=120},
    {form="2K"},
]
[expect]
"asks[0].part_number" = "FASY-0624-0003"
"asks[1].part_number" = "FASY-0624-0004"
"asks[1].ratios_belong_in_the_meter" = true
"asks[2].supported" = false
"asks[3].supported" = false
"asks[4].supported" = false
"asks[5].supported" = false
"asks[6].cap_w" = 72_000
"asks[7].turn_gap_h" = 578
""",
)
case(
    "F3 no table from the start",
    """
start = "10:00"
load = [{from="10:00", to="12:10", forward_w=600}]
no_table = [{from="10:00", to="13:00"}]
[expect]
"state" = "NOT_LOGGING"
"hours.flags" = [["MISSING"], ["MISSING"]]
"hours[11:00].wh" = "none"
"total.wh" = 0
""",
)
case(
    "F3 the table goes away for an hour and a half",
    """
start = "10:00"
settings = {interval_min=30}
load = [{from="10:00", to="13:00", forward_w=600}]
no_table = [{from="10:40", to="12:10"}]
[expect]
"state" = "LOGGING"
"intervals[11:00].wh" = "none"
"intervals[11:30].wh" = "none"
"intervals[12:00].flags" = ["MISSING"]
"energy.forward_wh" = 1_800
"intervals[12:30].flags" = ["EST"]
"events[NO_TABLE].at" = "10:40"
"events[LOGGING_AGAIN].at" = "12:10"
""",
)
for v, volts, form_ in (
    (96.0, 120, "12S"),
    (95.9, 120, "12S"),
    (144.0, 120, "1S"),
    (144.1, 120, "1S"),
    (192.0, 240, "2S"),
    (191.9, 240, "2K"),
    (288.0, 240, "2SE"),
    (288.1, 240, "4S"),
):
    ok = v in (96.0, 144.0, 192.0, 288.0)
    case(
        f"P1 {v} V at a {form_}",
        f"""
start = "10:00"
meter = {{form="{form_}", voltage={volts}}}
load = [{{from="10:00", to="12:00", forward_w=900}}]
voltage = [
    {{from="10:00", to="10:10", v={volts}.0}},
    {{from="10:10", to="10:20", v={v}}},
    {{from="10:20", to="12:01", v={volts}.0}},
]
[expect]
"hours[11:00].flags" = {"[]" if ok else '["OOR"]'}
"hours[11:00].wh" = 900
"hours[12:00].flags" = []
"hours[11:00].{"minimum" if v < volts else "maximum"}_dv" = {round(v * 10)}
""",
    )
for hz, ok in ((57.0, True), (56.99, False), (63.0, True), (63.01, False)):
    case(
        f"P1 {hz} Hz",
        f"""
start = "10:00"
settings = {{interval_min=15}}
load = [{{from="10:00", to="11:00", forward_w=900}}]
supply = [{{from="10:16", to="10:17", hz={hz}}}]
[expect]
"intervals.flags" = [[], {"[]" if ok else '["OOR"]'}, [], []]
"energy.forward_wh" = 900
""",
    )
case(
    "P1 76 C",
    """
start = "10:00"
load = [{from="10:00", to="12:00", forward_w=900}]
supply = [{from="11:05", to="11:10", temperature_c=76}]
[expect]
"hours.flags" = [[], ["OOR"]]
""",
)
case(
    "P2 a 240 V module at 121.3 V",
    """
start = "10:00"
load = [{from="10:00", to="11:00", forward_w=0}]
voltage = [{from="10:00", to="11:01", v=121.3}]
ask = [{supply_v=121.3}]
[expect]
"hours[11:00].minimum_dv" = "none"
"hours[11:00].flags" = ["OOR"]
"asks[0].programming_only" = true
""",
)
case(
    "V3 ranges",
    """
ask = [
    {service_v=113.9},
    {service_v=114.0},
    {service_v=126.1},
    {service_v=127.1},
    {service_v=219.9, nominal_v=240},
    {service_v=220.0, nominal_v=240},
    {service_v=252.0, nominal_v=240},
    {service_v=254.0, nominal_v=240},
    {average_of_v=[118.4, 113.7, 120.6]},
]
[expect]
"asks[0].range" = "B low"
"asks[1].range" = "A"
"asks[2].range" = "B high"
"asks[3].range" = "above B"
"asks[4].range" = "below B"
"asks[5].range" = "B low"
"asks[6].range" = "A"
"asks[7].range" = "B high"
"asks[8].average_dv" = 1_176
""",
)
case(
    "G1-4",
    """
ask = [
    {firmware=11},
    {firmware=16},
    {firmware=17},
    {firmware=18},
    {tool="3.10"},
    {tool="3.1"},
    {tool="4.0"},
    {collector=true, headend=false},
    {collector=true, headend=true},
    {used=7, wanted=12},
    {used=5, wanted=11},
    {bought="2007-08-31"},
    {bought="2007-09-01"},
    {bought="unknown"},
]
[expect]
"asks[0].streaming" = false
"asks[1].streaming" = true
"asks[1].net" = false
"asks[2].net" = true
"asks[2].display_items" = false
"asks[3].display_items" = true
"asks[4].may_reflash" = true
"asks[5].may_reflash" = false
"asks[6].may_reflash" = true
"asks[7].sent" = false
"asks[8].sent" = true
"asks[9].added" = 9
"asks[9].dropped" = 3
"asks[9].maximum_reached" = true
"asks[10].maximum_reached" = false
"asks[11].display_items" = "refused"
"asks[12].display_items" = "allowed"
"asks[13].display_items" = "ask"
""",
)
case(
    "G1 net needs 17",
    """
settings = {firmware=16}
reads = [{at="00:00"}, {at="00:02"}]
commands = [{at="00:01", do="set", net=true}]
[expect]
"replies.done" = [false]
"settings.net" = false
""",
)
# ---- combinations
case(
    "mix: rolling demand, reset, pickup and a five-minute profile",
    """
start = "17:50"
settings.interval_min = 5
settings.demand_min = 15
settings.subinterval_min = 5
settings.clpu_minutes = 5
settings.clpu_min_outage = 60
settings.reset_lockout = 0
load = [{from="17:50", to="18:30", forward_w=6_000}]
dark = [{from="18:02", to="18:04"}]
commands = [{at="18:12", do="reset", id=9}]
[expect]
# pickup 18:04-18:09: of 18:05 200 Wh count, of 18:10 100; after the reset 500 each, none before
"intervals.wh" = [500, 500, 300, 500, 500, 500, 500, 500]
"demand.intervals.w" = [2_000, 4_000, 4_800, 3_200, 2_000, 4_000, 6_000, 6_000]
"demand.previous.w" = 4_800
"demand.previous.at" = "18:05"
"demand.peak.at" = "18:25"
""",
)
case(
    "mix: net through zero with rates, an outage at the switch and quarter hours",
    """
start = "06:45"
settings = {net=true, interval_min=15}
meter = {forward_wh=1_000, reverse_wh=900}
schedule = {weekday="00:00 A, 07:00 C"}
reads = [
    {at="06:45"},
    {at="07:15", forward_wh=1_040, reverse_wh=1_240},
    {at="07:30", forward_wh=1_040, reverse_wh=1_250},
]
dark = [{from="06:50", to="07:10"}]
[expect]
# -300 over 5 + 5 lit minutes
"rates.A.wh" = -150
"rates.C.wh" = -160
"intervals.wh" = [-150, -150, -10]
"total.wh" = -210
"total.dial" = "99999"
"demand.peak.w" = 0
""",
)
case(
    "mix: critical peak over midnight into a holiday, and the year",
    """
start = "2027-12-31 22:30"
settings = {interval_min=30}
schedule = {weekday="00:00 A", holiday="00:00 B", holidays=[
    "2028-01-01"], valid_through="2028-01-01", fallback="C"}
critical_peaks = [{from="23:30", to="+1d 00:30", rate="D"}]
load = [{from="22:30", to="+2d 01:00", forward_w=1_000}]
[expect]
"rates.A.wh" = 1_000
"rates.D.wh" = 1_000
"rates.B.wh" = 23_500
"rates.C.wh" = 1_000
"tou.expired" = true
""",
)
case(
    "mix: a pending schedule begins in the dark of the spring night",
    """
start = "2027-03-14 01:30"
site = {zone="Eastern"}
schedule = {id=1, weekday="00:00 A"}
schedules = {s={id=2, weekday="00:00 B, 04:00 C"}}
commands = [{at="2027-03-14 01:30", do="schedule", schedule="s", from="2027-03-14 03:00"}]
load = [{from="2027-03-14T06:30Z", to="2027-03-14T09:00Z", forward_w=3_600}]
dark = [{from="2027-03-14T06:50Z", to="2027-03-14T07:10Z", keeps="nothing"}]
sync = [{at="2027-03-14T07:20Z"}]
[expect]
# 20 min A until 01:50 EST, dark over 03:00 EDT, B 03:10-04:00, C to 05:00
"rates.A.wh" = 1_200
"rates.B.wh" = 3_000
"rates.C.wh" = 3_600
"outages.sustained" = 1
"hours[0].flags" = ["PF", "PARTIAL"]
"hours[1].flags" = ["PF", "DST"]
""",
)
case(
    "mix: missed polls, then a sync, then a switch",
    """
start = "06:00"
settings = {interval_min=30}
schedule = {weekday="00:00 A, 07:00 B"}
load = [{from="06:00", to="08:00", forward_w=3_600}]
missed = [{from="06:20", to="06:40"}]
sync = [{at="06:50", error_s=30}]
[expect]
# the clock is 30 s fast from 06:50: 07:00 comes 30 s early
"rates.A.wh" = 3_570
"rates.B.wh" = 3_630
"intervals.wh" = [1_800, 1_770, 1_800, 1_800]
"intervals[07:00].flags" = ["PARTIAL", "EST", "TIME"]
"intervals[06:30].flags" = ["EST"]
"estimated_wh" = 0
""",
)
case(
    "mix: a new meter and a frozen snapshot in the same profile hour",
    """
start = "10:00"
settings = {interval_min=30, demand_min=30}
meter = {serial="A", forward_wh=500_000}
reads = [
    {at="10:00"},
    {at="10:20", forward_wh=500_200},
    {at="10:29"},
    {at="10:30", frozen=true},
    {at="10:31", forward_wh=500_220},
    {at="10:40", serial="B", forward_wh=7},
    {at="11:00", forward_wh=307},
    {at="11:30", forward_wh=607},
]
[expect]
"intervals.wh" = [210, 310, 300]
"intervals[10:30].flags" = []
"intervals[11:00].flags" = ["CHG"]
"demand.peak.w" = 600
"demand.peak.at" = "11:30"
"energy.forward_wh" = 820
""",
)
case(
    "mix: a restart inside an outage",
    """
start = "10:00"
load = [{from="10:00", to="12:00", forward_w=3_600}]
dark = [{from="10:10", to="10:50", keeps="clock"}]
restarts = [{at="11:20", back="11:21", cause="watchdog"}]
[expect]
"hours.wh" = [1_200, 3_600]
"hours[11:00].flags" = ["PF"]
"hours[12:00].flags" = []
"outages.sustained" = 1
"restarts.watchdog" = 1
""",
)
case(
    "mix: a power cut without a time, a second one, and the sync",
    """
start = "10:00"
schedule = {weekday="00:00 A, 11:00 B", fallback="C"}
load = [{from="10:00", to="12:00", forward_w=3_600}]
dark = [
    {from="10:10", to="10:20", keeps="nothing"},
    {from="10:30", to="10:40", keeps="nothing"},
]
sync = [{at="10:50"}]
[expect]
# 10 min A, 10 min nobody can date: C, 20 min A, 60 min B
"rates.A.wh" = 1_800
"rates.C.wh" = 600
"rates.B.wh" = 3_600
"outages.power_fail" = 2
"outages.dark_seconds" = 1_200
"hours.wh" = [2_400, 3_600]
"hours[11:00].flags" = ["PF", "EST"]
""",
)
case(
    "mix: detent change, restart before the meter answers",
    """
start = "10:00"
settings = {detent=false}
load = [{from="10:00", to="11:00", forward_w=600, reverse_w=1_200}]
missed = [{from="10:20", to="10:40"}]
commands = [{at="10:25", do="set", detent=true, net=true}]
restarts = [{at="10:30", cause="crash"}]
[expect]
# 40 min of both, then 20 min of F - R from the meter's own registers: 600 - 1 200
"settings.net" = true
"total.wh" = -600
"energy.billed_wh" = 1_400
""",
)
case(
    "mix: polls of an hour, two demand intervals of five minutes in it",
    """
start = "10:00"
settings = {poll_s=3600, demand_min=5, interval_min=5}
load = [{from="10:00", to="12:00", forward_w=1_200}]
[expect]
"intervals.count" = 24
"intervals[10:05].flags" = []
"demand.peak.w" = 1_200
""",
)
case(
    "mix: a year passes between two reads of a switched-off house",
    """
ticks = false
start = "2027-01-01 00:00"
reads = [{at="2027-01-01 00:00", forward_wh=5}, {at="2028-01-01 00:00", forward_wh=105}]
dark = [{from="2027-01-02 00:00", to="2027-12-31 00:00"}]
[expect]
"energy.forward_wh" = 100
"outages.dark_seconds" = 31_363_200
"counters.ambiguous" = 1
"hours.count" = 8_760
"ledger.difference_wh" = 0
""",
)
for keeps in ("all", "clock"):
    case(
        f"mix: a watchdog inside an outage, which keeps {keeps}",
        f"""
start = "10:00"
settings = {{interval_min=30}}
load = [{{from="10:00", to="12:00", forward_w=3_600}}]
dark = [{{from="10:10", to="10:50", keeps="{keeps}"}}]
restarts = [{{at="10:30", cause="watchdog"}}]
[expect]
"intervals.wh" = [600, 600, 1_800, 1_800]
"outages.power_fail" = 1
"outages.dark_seconds" = 2_400
"outages.sustained" = 1
"restarts.watchdog" = 1
""",
    )
case(
    "mix: a module that comes back after the power does",
    """
start = "10:00"
settings = {interval_min=30}
load = [{from="10:00", to="12:00", forward_w=3_600}]
dark = [{from="10:10", to="10:50"}]
restarts = [{at="10:30", back="10:55", cause="watchdog"}]
[expect]
# for the module the outage ends when it starts: all the energy lies in 5 + 0 lit minutes before
"energy.forward_wh" = 4_800
"outages.power_fail" = 1
"outages.dark_seconds" = 2_700
"restarts.watchdog" = 1
""",
)
case(
    "mix: expectations without quotes",
    """
load = [{from=0, to="+1h", wh_per_s=0.5}]
[expect]
total.wh = 1_800
rates.A.wh = 0
rateless_wh = 1_800
""",
)

case(
    "M7 a reset at midnight leaves the last interval to the old period",
    """
start = "22:00"
settings = {demand_min=60}
schedule = {weekday="00:00 A, 23:00 B"}
load = [
    {from="22:00", to="23:00", forward_w=2_000},
    {from="23:00", to="24:00", forward_w=7_000},
    {from="24:00", to="+1d 01:00", forward_w=3_000},
]
commands = [{at="24:00", do="reset", id=1}]
[expect]
"demand.previous.w" = 7_000
"demand.previous.at" = "24:00"
"demand.peak.w" = 3_000
"demand.rate_peaks.B.w" = 0
"demand.periods[0].rate_peaks.B.w" = 7_000
""",
)
case(
    "T8 after an outage without a clock, no sync yet",
    """
start = "20:50"
schedule = {weekday="00:00 B, 21:00 A"}
load = [{from="20:50", to="22:00", forward_w=3_600}]
dark = [{from="20:55", to="20:58", keeps="nothing"}]
[expect]
"rates.B.wh" = 300
"unplaced_wh" = 3_720
"total.wh" = 4_020
""",
)
case(
    "L2 two cuts of the module within a quarter hour",
    """
start = "10:00"
settings = {interval_min=5}
load = [{from="10:00", to="10:20", forward_w=3_600}]
dark = [{from="10:02", to="10:03", keeps="clock"}, {from="10:04", to="10:11", keeps="clock"}]
[expect]
"intervals.wh" = [180, 0, 240, 300]
"intervals.flags" = [["PF"], ["PF", "DARK"], ["PF"], []]
"outages.momentary_event" = 0
"outages.blink" = 1
""",
)
case(
    "L1 rolling demand over the spring change",
    """
start = "2027-03-14 01:30"
site = {zone="Eastern"}
settings = {demand_min=15, subinterval_min=5, interval_min=15}
load = [{from="2027-03-14T06:30Z", to="2027-03-14T08:00Z", forward_w=6_000}]
[expect]
"intervals.count" = 6
"demand.peak.w" = 6_000
"demand.peak.at" = "2027-03-14T06:45Z"
""",
)
case(
    "V1 the hour that comes twice has two extremes",
    """
start = "2027-11-07 00:00"
site = {zone="Eastern"}
load = [{from="2027-11-07T04:00Z", to="2027-11-07T08:00Z", forward_w=100}]
voltage = [
    {from="2027-11-07T04:00Z", to="2027-11-07T08:01Z", v=240.0},
    {at="2027-11-07T05:30:30Z", v=233.0},
    {at="2027-11-07T06:30:30Z", v=247.0},
]
[expect]
"hours.minimum_dv" = [2_400, 2_330, 2_400, 2_400]
"hours.maximum_dv" = [2_400, 2_400, 2_470, 2_400]
""",
)
case(
    "V1 hours of a zone that is off by half an hour",
    """
site = {zone="+05:30", dst=false}
start = "06:00"
schedule = {weekday="00:00 A, 07:00 B"}
load = [{from="06:00", to="08:00", forward_w=1_000}]
voltage = [{at="06:15:30", v=238.0}, {at="06:45:30", v=236.0}, {at="07:45:30", v=235.0}]
[expect]
"hours.wh" = [1_000, 1_000]
"rates.A.wh" = 1_000
"hours.minimum_dv" = [2_360, 2_350]
""",
)
case(
    "D7 stream first, net off later",
    """
settings = {net=true}
reads = [
    {at="00:00"},
    {at="01:00", reverse_wh=500},
    {at="02:00", forward_wh=100, reverse_wh=900},
    {at="03:00", forward_wh=100, reverse_wh=1_900},
]
commands = [
    {at="00:10", do="stream", mode="register", extreme="minimum"},
    {at="02:30", do="set", net=false},
]
[expect]
"streaming.hours.wh" = [0, 100, 100]
""",
)
case(
    "D4 a preset is no energy",
    """
reads = [
    {at="00:00", forward_wh=100},
    {at="01:00", forward_wh=300},
    {at="02:00", forward_wh=600},
]
commands = [{at="01:30", do="preset", total_wh=5_000}]
[expect]
"total.wh" = 5_300
"hours.wh" = [200, 300]
""",
)
case(
    "L4 a clock set back over a switch evaluates the rate anew",
    """
start = "06:30"
schedule = {weekday="00:00 A, 07:00 B"}
load = [{from="06:30", to="07:30", forward_w=3_600}]
sync = [{at="07:05", error_s=-600}]
[expect]
# label: 06:30-07:05 (A 30 min, B 5 min), then from 06:55: A 5, B rest 20
"rates.A.wh" = 2_100
"rates.B.wh" = 1_500
""",
)
case(
    "X3 and X7 an outlier, a repeat of it, then the truth",
    """
meter = {forward_wh=1_000_000}
reads = [
    {at="00:00"},
    {at="00:01", forward_wh=0, glitch=true},
    {at="00:02", frozen=true},
    {at="00:03", forward_wh=1_000_500},
]
[expect]
"energy.forward_wh" = 500
"counters.stale" = 1
"counters.transient_forward" = 1
""",
)
case(
    "X4 a confirmed reset across the hour",
    """
start = "09:50"
settings = {interval_min=30}
meter = {forward_wh=30_000_000}
reads = [
    {at="09:50"},
    {at="09:58", forward_wh=30_000_080},
    {at="09:59", forward_wh=50},
    {at="10:00", forward_wh=250},
    {at="10:01", forward_wh=450},
    {at="10:30", forward_wh=740},
]
[expect]
"intervals.wh" = [280, 490]
"intervals.flags" = [["PARTIAL", "CHG"], []]
""",
)
case(
    "T7 an event found out about after the sync",
    """
start = "15:00"
clock = {known=false}
schedule = {weekday="00:00 A"}
critical_peaks = [{from="16:00", to="17:00", rate="C"}]
load = [{from="15:00", to="18:00", forward_w=1_000}]
sync = [{at="15:10"}]
[expect]
"rates.C.wh" = 1_000
"rates.A.wh" = 2_000
""",
)


def live(data: dict) -> run.Run:
    """Run a scenario, at UTC unless it says otherwise."""
    return run.run_scenario(scenario.parse({"site": {"zone": "UTC"}, **data}))


@pytest.mark.parametrize("name", CASES)
def test_rule(name):
    found = live(tomllib.loads(CASES[name]))
    assert found.expected
    assert found.mismatches == []
    assert found.report["ledger"]["difference_wh"] == 0
    assert found.report["sums"]["outages_agree"]


def _drifting(seed: int) -> tuple[dict, dict]:
    """Return the same days with a perfect clock, and with one as wrong as it admits to be."""
    pick = random.Random(seed)
    bound_s, limit_ppm = pick.randint(0, 20), pick.choice((5, 30, 100, 300))
    length_s = pick.randint(1, 3) * 86_400
    minutes = sorted(pick.sample(range(1, 1440), 5))
    switches = [f"{m // 60:02d}:{m % 60:02d} {pick.choice('ABCD')}" for m in minutes]
    loads, at_s = [], 0
    while at_s < length_s:
        for_s, watts = pick.choice((900, 3600, 7200)), pick.choice((0, 500, 3_000, 48_000))
        reverse_w = pick.choice((0, 0, 4_000))
        loads.append({"from": at_s, "for_s": for_s, "forward_w": watts, "reverse_w": reverse_w})
        at_s += for_s
    detent = pick.random() < 0.5
    house = {
        "ticks": False,
        "settings": {
            "detent": detent,
            "net": detent and pick.random() < 0.5,
            "drift_ppm": limit_ppm,
        },
        "schedule": {"weekday": ", ".join(["00:00 A", *switches])},
        "critical_peaks": [{"from": 30_000, "to": 33_000, "rate": "D"}],
        "load": loads,
        "dark": [{"from": pick.randint(60, 1_000) * 60 + 30, "for_s": pick.randint(5, 5_000)}],
    }
    wrong_s = [pick.randint(-bound_s, bound_s) for _ in range(3)]
    wrong = {
        "clock": {
            "error_s": wrong_s[0],
            "bound_s": bound_s,
            "drift_ppm": pick.choice((-limit_ppm, limit_ppm)),
        },
        "sync": [
            {"at": pick.randint(3_600, length_s - 3_600), "error_s": by_s, "bound_s": bound_s}
            for by_s in wrong_s[1:]
        ],
    }
    return house, {**house, **wrong}


@pytest.mark.parametrize("seed", range(12))
def test_N8_a_wrong_clock_moves_no_more_than_the_energy_at_risk(seed):
    right, wrong = (live(data).report for data in _drifting(seed))
    surplus_wh = {k: wrong["rates"][k]["wh"] - right["rates"][k]["wh"] for k in "ABCD"}
    moved_wh = sum(abs(wh) for wh in surplus_wh.values()) // 2
    assert moved_wh <= sum(wrong["at_risk_wh"].values())
    assert wrong["ledger"]["difference_wh"] == right["ledger"]["difference_wh"] == 0


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('reads = [{at="25:50"}]', "at in [[reads]] number 1"),
        ('reads = [{at="06:70"}]', "at in [[reads]] number 1"),
        ('reads = [{at="06:50", forward_wh=1.5}]', "whole Wh from 0"),
        ('reads = [{at="06:50", forward_wh=-5}]', "whole Wh from 0"),
        ('reads = [{at="06:50", forward_kwh=5}]', 'did you mean "forward_wh"'),
        ('load = [{to="01:00", forward_w=-5}]', "forward_w in [[load]] number 1"),
        ("polls = [{every=0}]", "at least one second"),
        ('start = "1969-01-01"', "between 1970 and 2106"),
        ('end = "-1d 00:00"', "after start"),
        ("sync = [{at=60, error_s=-9_999_999_999}]", "between 1970 and 2106"),
        ("dark = [{from=0, to=60}, {from=30, to=90}]", "overlaps another [[dark]]"),
        ('meter = {form="3S"}', "3S in [meter]"),
        ("meter = {largest_kw=0}", "above 0"),
        ("meter = {multiplier=70_000}", "to 65535"),
        ("settings = {interval_min=10}", "one of 5, 15, 30, 60"),
        ("settings = {subinterval_min=4}", "a part of demand_min, 15"),
        ("settings = {clpu_minutes=300}", "clpu_minutes in [settings]"),
        ("ask = [{average_of_v=['a']}]", "a list of voltages"),
        ('settings = {display="volts"}', "display in [settings]"),
        ("ticks = 1", "ticks in the file"),
        ('meter = {serial="012345678901234567890"}', "1 to 20 characters"),
        ("reads = [{at=0, v=6000.1}]", "a voltage in V, at most 6000"),
        ("reads = [{at=0}, {at=9, frozen=true, forward_wh=4}]", "frozen goes with at alone"),
        ("load = [{to=60}]", "has no power"),
        ("supply = [{to=60}]", "says nothing"),
        ("meter_events = [{at=60}]", "changes nothing"),
        ('restarts = [{at=60, back=30, cause="crash"}]', "not before at"),
        ('commands = [{at=60, do="preset"}]', "needs total_wh"),
        ('commands = [{at=60, do="set"}]', "sets nothing"),
        ('schedule = {weekday="00:00 A", holidays=["2027-02-29"]}', "must be dates"),
        ('schedule = {weekday="00:00 A, 07:60 B"}', "must be switches"),
    ],
)
def test_a_wrong_scenario_is_one_sentence(text, word):
    with pytest.raises(WattlineError) as caught:
        live(tomllib.loads(text))
    assert word in str(caught.value) and "\n" not in str(caught.value)
