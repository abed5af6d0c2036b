"""Scenario files, the bank of long-symbol endpoints, curves and pictures."""

import json

import numpy as np
import pytest

from endpoint.line.frame import encode_into
from endpoint.line.profile import EXPRESS, FIELD
from wattline.cli.app import main
from wattline.collector.channelizer import Channelizer
from wattline.collector.receiver import Receiver
from wattline.line import curves, scenario
from wattline.line.bank import Bank, Member
from wattline.line.bounds import frame_error_bound, wilson
from wattline.line.drift import MOTIONS
from wattline.line.scene import RATE_SPS


def _run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return stop.value.code, out, err


def test_bank_puts_encoded_symbols_on_their_channels():
    """Straight from the bank's own cycles to the channelizer: bits, level, nothing elsewhere."""
    members = [
        Member(7 + i, FIELD.channel(11, 300 + i), 0.01 * (i + 1), lambda k, t: bytes(range(8)))
        for i in range(3)
    ]
    first = min(FIELD.frame_offset(m.channel) for m in members)
    bank = Bank(members, FIELD, MOTIONS["static"], cycle=first)
    cycles = np.arange(0, 9 * 768)
    phi = (cycles[:, None] + np.arange(64) / 64).reshape(-1)
    current = bank.current(phi).reshape(-1, 64)
    channelizer = Channelizer(FIELD)
    parts = channelizer.feed(current, 2 * first)
    symbols = parts.reshape(9, 4, -1).sum(axis=1)
    lone = [m for m in members if FIELD.frame_offset(m.channel) == first]
    for member in lone:
        column = int(np.flatnonzero(channelizer.channels == member.channel)[0])
        sent = bytearray(280)
        encode_into(sent, bytes(range(8)), member.eid, member.channel)
        turned = symbols[:8, column] / symbols[0, column]
        expected = 1 - 2.0 * np.frombuffer(sent, np.int8)[:8]
        assert turned == pytest.approx(expected * expected[0], abs=1e-3)
        assert np.abs(symbols[0, column]) == pytest.approx(member.amplitude_a, rel=1e-3)
    others = np.abs(symbols[:8, :3000]).max()
    assert others < 1e-5


def test_express_bus_is_heard_without_being_told_the_count():
    channels = [EXPRESS.channel(11, 20), EXPRESS.channel(12, 50)]
    soon = EXPRESS.frame_offset(channels[0]) - 3 * 96 - 31
    content = {
        "profile": "express",
        "seconds": 480,
        "seed": 4,
        "cycle": soon % EXPRESS.frame_cycles,
        "motion": "typical",
        "endpoints": [
            {"channels": [EXPRESS.channel(11, 20), EXPRESS.channel(12, 50)], "count": 2}
        ],
    }
    made = scenario.build(content)
    receiver = Receiver(RATE_SPS, EXPRESS, {m.eid: m.channel for m in made.endpoints})
    frames = []
    for s in range(0, made.seconds, 10):
        frames += receiver.feed(*made.scene.block((s + 10) * 1_000_000_000))
    frames += receiver.finish()
    sent = {(m.eid, payload) for m in made.endpoints for _, payload in m.sent}
    heard = {(f.eid, f.payload) for f in frames}
    assert heard and heard <= sent
    # The count is found to within a few cycles of 96.
    off = (receiver.cycle - content["cycle"]) % EXPRESS.frame_cycles
    assert min(off, EXPRESS.frame_cycles - off) <= 8


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("profile = 'none'", "choose profile"),
        ("seconds = 0", "give 1 to"),
        ("colour = 1", "no key colour"),
        ("[[endpoints]]\ncount = 99999", "free channels"),
        ("x = [", "not TOML"),
        ("seconds = 'many'", "wrong kind"),
    ],
)
def test_bad_scenario_is_one_sentence(tmp_path, capsys, text, words):
    path = tmp_path / "bus.toml"
    path.write_text(text)
    code, _, err = _run(capsys, "line", "synth", "-o", tmp_path / "x.npz", "--scenario", path)
    assert code == 2 and words in err and "Traceback" not in err


def test_scenario_synth_collect_and_pictures(tmp_path, capsys):
    path, toml = tmp_path / "line.npz", tmp_path / "bus.toml"
    toml.write_text("profile='bench'\nseconds=45\nseed=2\n[[endpoints]]\ncount=2\njoin_every=16\n")
    code, out, _ = _run(capsys, "line", "synth", "-o", path, "--scenario", toml, "--json")
    assert code == 0
    listed = tmp_path / "bus.json"
    listed.write_text(out)
    sent = {(r["eid"], r["payload"]) for r in json.loads(out)["sent"]}
    code, out, _ = _run(capsys, "collect", path, "--endpoints", listed, "--json")
    frames = json.loads(out)["frames"]
    assert code == 0 and frames and {(f["eid"], f["payload"]) for f in frames} <= sent
    assert all(f["confidence"] >= 0.99 for f in frames)
    for kind in ("spectrum", "waterfall", "constellation", "budget"):
        picture = tmp_path / f"{kind}.png"
        code, _, _ = _run(capsys, "line", kind, path, "--out", picture)
        assert code == 0 and picture.read_bytes()[:4] == b"\x89PNG"


def test_bound_is_the_published_one():
    # Normal approximation for 280 uses and 64 bits: 10 % at 0.0 dB, 1 % at 0.92 dB.
    assert frame_error_bound(0.0) == pytest.approx(0.10, rel=0.05)
    assert frame_error_bound(0.92) == pytest.approx(0.01, rel=0.1)
    low, high = wilson(10, 100)
    assert low == pytest.approx(0.0552, abs=1e-3) and high == pytest.approx(0.1744, abs=1e-3)


def test_quick_curve_as_json_and_picture(tmp_path, capsys):
    picture = tmp_path / "curves.png"
    code, out, _ = _run(capsys, "line", "curves", "static", "--quick", "--json", "-o", picture)
    assert code == 0
    (point,) = json.loads(out)["points"]
    assert point["frames"] == 25 and point["wrong"] == 0 and point["lost"] <= 8
    assert picture.stat().st_size < 200_000


def test_unknown_curve_is_one_sentence(capsys):
    code, _, err = _run(capsys, "line", "curves", "nothing")
    assert code == 2 and "no such scenario" in err
    assert curves.points([], 50, quick=True)
