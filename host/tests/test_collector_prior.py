"""What is known of a payload beforehand: usual values, the last reading, keys."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from line_bus import symbols_of

from endpoint.line import payload as layout
from endpoint.line.profile import BENCH
from endpoint.line.seal import check16, crypt_into, frame_number
from wattline.cli.app import main
from wattline.collector import plausible
from wattline.collector.decoder import SEARCH, Key, decode
from wattline.collector.forecast import TYPES, Readings, forecast
from wattline.collector.receiver import Receiver
from wattline.collector.secrets import Secrets, read_keys
from wattline.errors import WattlineError
from wattline.line.mains import Mains
from wattline.line.modelled import ModelledEndpoint
from wattline.line.scene import RATE_SPS, Scene
from wattline.line.synth import Meter

EID = 0x0028A1C3
SECRET = bytes(range(16))
UNIX_S = 1_790_000_000


def test_probabilities_of_a_fields_values_add_up_to_one():
    for frame_type, fields in layout.LAYOUTS.items():
        for name, width in fields:
            if frame_type == layout.JOIN or width > 13 or name in ("selector", "zero"):
                continue
            total = sum(plausible.field_probability(name, width, v) for v in range(1 << width))
            assert total == pytest.approx(1.0), name
    assert sum(plausible._TYPES.values()) == pytest.approx(1.0)
    selectors = [plausible.field_probability("selector", 3, v) for v in (0, 1, 2, 3, 6, 7)]
    assert sum(selectors) == pytest.approx(1.0)


@given(st.binary(min_size=8, max_size=8))
def test_no_legal_payload_is_impossible_and_none_costs_much_more_than_a_bit(payload):
    fields = plausible.legal(payload)
    if fields is None or payload[0] >> 4 == layout.JOIN:
        return
    bits = plausible.log_probability(payload[0] >> 4, fields) / np.log(2)
    assert -65.5 < bits < -40


@pytest.mark.parametrize("frame_type", TYPES)
def test_forecast_leans_to_the_same_frame_a_little_later(frame_type):
    fields = {name: 1 for name, _ in layout.LAYOUTS[frame_type]}
    payload = bytearray(8)
    layout.pack_into(payload, frame_type, tuple(fields.values()))
    told = forecast(frame_type, fields, 60.0)
    bits = np.unpackbits(np.frombuffer(payload, np.uint8))
    assert told.shape == (64,)
    lean = np.where(bits, -told, told)
    assert lean[:4].min() > 4 and lean.sum() > 60 and lean.min() > -3


def test_last_reading_makes_a_weak_frame_audible():
    payload = bytearray(8)
    rng = np.random.default_rng(3)
    heard = {False: 0, True: 0}
    for i in range(20):
        layout.pack_register(payload, 123_456_700 + 900, 1000 + i % 3, 900, 30)
        received, noise = symbols_of(payload, EID, 42, -0.5, rng)
        readings = Readings()
        before = bytearray(8)
        layout.pack_register(before, 123_456_700, 1000, 900, 32)
        readings.note(EID, layout.REGISTER, layout.unpack(before)[1], 0.0)
        (told,) = readings.forecasts(EID, 3600.0)
        for knowing in (False, True):
            expected = told if knowing else None
            decoded = decode(received, noise, 42, [EID], SEARCH, expected)
            assert decoded is None or decoded.payload == payload
            heard[knowing] += decoded is not None
    assert heard[True] >= 15 and heard[False] <= 8
    assert not list(readings.forecasts(EID, 30 * 3600.0))


def _sealed(encrypted):
    """Return a scene and its one endpoint, whose readings are sealed; JOINs are not."""
    length = BENCH.frame_cycles

    def seal(payload, cycle):
        if payload[0] >> 4 == layout.JOIN:
            return None
        number = frame_number(cycle, UNIX_S, length)
        if encrypted:
            crypt_into(payload, SECRET, EID, number)
        return check16(SECRET, EID, number, payload)

    meter = Meter(EID, np.random.default_rng(1), 2)
    endpoint = ModelledEndpoint(EID, 25, 0.015, meter.payload, seal=seal)
    return Scene(Mains(4), modelled=[endpoint], ebn0_db=8.0, seed=4), endpoint


@pytest.mark.parametrize("encrypted", [False, True])
def test_receiver_opens_sealed_frames_with_keys_and_the_count(encrypted):
    scene, endpoint = _sealed(encrypted)
    voltage, current = scene.block(64 * 1_000_000_000)
    heard = {}
    for name, secret in (("right", SECRET), ("wrong", SECRET[::-1])):
        secrets = Secrets({EID: (secret, encrypted)}, UNIX_S)
        receiver = Receiver(RATE_SPS, BENCH, {EID: 25}, cycle=0, secrets=secrets)
        frames = receiver.feed(voltage, current) + receiver.finish()
        heard[name] = [(f.sealed, f.payload) for f in frames]
    sent = [(p[0] >> 4 != layout.JOIN, p) for _, p in endpoint.sent]
    assert heard["right"] == sent[: len(heard["right"])] and len(heard["right"]) >= 2
    assert all(not sealed for sealed, _ in heard["wrong"])


def test_key_stream_turns_a_forecast_as_it_turns_the_payload():
    payload = bytearray(range(8))
    key = Key(SECRET, 77, encrypted=True)
    plain = 1 - 2.0 * np.unpackbits(np.frombuffer(bytes(payload), np.uint8))
    crypt_into(payload, SECRET, EID, 77)
    sent = 1 - 2.0 * np.unpackbits(np.frombuffer(bytes(payload), np.uint8))
    assert np.array_equal(plain * key.stream_signs(EID), sent)
    assert np.all(Key(SECRET, 77).stream_signs(EID) == 1)


def test_key_file_and_its_mistakes(tmp_path):
    path = tmp_path / "keys.txt"
    path.write_text(
        f"0028a1c3 {SECRET.hex()}  # comment\n\n00000007 {SECRET.hex()} root encrypted\n"
    )
    keys = read_keys(path)
    assert keys[EID] == (SECRET, False)
    assert keys[7][1] and keys[7][0] != SECRET
    for text in ("0028a1c3", "0028a1c3 12", f"xyz {SECRET.hex()}", f"7 {SECRET.hex()} rot"):
        path.write_text(text)
        with pytest.raises(WattlineError, match="line 1: give lines") as error:
            read_keys(path)
        assert SECRET.hex() not in str(error.value)


def test_several_recordings_go_side_by_side_and_a_bad_one_stops_nothing(tmp_path, capsys):
    paths = [tmp_path / f"{i}.npz" for i in range(2)]
    for i, path in enumerate(paths):
        with pytest.raises(SystemExit):
            main(["line", "synth", "-o", str(path), "--seconds", "42", "--seed", str(i + 3)])
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"nothing")
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(["collect", *map(str, paths), str(bad), "--json"])
    out, err = capsys.readouterr()
    assert stop.value.code == 2 and "bad.wav" in err and "Traceback" not in err
    rows = json.loads(out)
    assert [row["file"] for row in rows] == [str(p) for p in paths]
    assert all(row["frames"] for row in rows)
