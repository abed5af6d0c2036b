"""`wattline program` on both roads: all of it or nothing, read back, recorded (R21 to R27)."""

import json
import os
import stat
import sys
from contextlib import redirect_stdout
from io import StringIO
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from module_on_desk import BOARD, CHIP, PASSWORDS, SETTINGS, Desk

from endpoint.hal import files
from endpoint.keys import KEYS
from endpoint.line.profile import PROFILES
from endpoint.metering import forms
from endpoint.metering.engine import Engine
from endpoint.module import DISPLAY_DIFFERS, DISPLAY_FULL, label
from endpoint.settings import NAMES, SettingsError, check
from wattline.board import program as usb
from wattline.cli.app import main
from wattline.errors import WattlineError
from wattline.programmer import advice, passwords, record
from wattline.programmer.targets import UsbTarget


@pytest.fixture
def virgin():
    with Desk(None, keyed=False) as made:
        yield made


@pytest.fixture
def desk():
    with Desk() as made:
        yield made


@pytest.fixture
def program(capsys, tmp_path):
    """Return a function that programs through the port: (code, output, errors)."""

    def run(desk, *arguments, password=PASSWORDS["admin_password"]):
        secret = tmp_path / "secret"
        secret.write_bytes(password if isinstance(password, bytes) else password.encode())
        place = ("--port", desk.port, "--password-file", secret)
        try:
            main([str(argument) for argument in ("program", *place, *arguments)])
            code = 0
        except SystemExit as end:
            code = end.code
        out = capsys.readouterr()
        assert "Traceback" not in out.err
        return code, out.out, out.err

    return run


def stored(desk):
    return json.loads(desk.files["/settings.json"])


def test_R57_a_new_module_is_programmed_with_its_label_and_gets_keys(virgin, program, tmp_path):
    keys, work = tmp_path / "keys.toml", tmp_path / "work.json"
    options = ("--eid", 77, "--form", "2S", "--bought", "2009-05", "--new-keys", keys)
    options += ("--record", work, "--acknowledge", "--role", "mas", "--role-version", "3.2")
    code, out, err = program(virgin, *options, "--json", password=label(CHIP))
    assert (code, err) == (0, "")
    assert json.loads(out) == stored(virgin)
    assert stored(virgin)["bought"] == 200905
    assert stat.S_IMODE(os.stat(keys).st_mode) == 0o600
    made = passwords.read_keys(keys)
    assert json.loads(virgin.files["/keys.json"]) == made
    (entry,) = json.loads(work.read_text())
    assert entry["acknowledged"] and len(entry["check_list"]) == len(advice.CHECK_LIST)
    assert (entry["role"], entry["settings"]["eid"], entry["verified"]) == ("mas", 77, True)
    for secret in made.values():
        assert secret not in work.read_text() and secret not in out
        assert bytes.fromhex(secret).decode("latin-1") not in work.read_text() + out
    assert virgin.restarted.wait(10)
    # The label ends there; the keys file opens the module from now on.
    assert program(virgin, "--poll-s", 30, password=label(CHIP))[0] == 1
    code, _, err = program(virgin, "--poll-s", 30, password=keys.read_text())
    assert code == 0, err
    assert (stored(virgin)["poll_s"], stored(virgin)["eid"]) == (30, 77)


def test_R22_a_new_module_needs_the_check_list_acknowledged(virgin, program, tmp_path):
    work = tmp_path / "work.json"
    options = ("--eid", 77, "--form", "2S")
    for more in ((), ("--acknowledge",), ("--record", work)):
        code, _, err = program(virgin, *options, *more, password=label(CHIP))
        assert code == 2 and "nothing was written" in err
        for line in advice.CHECK_LIST:
            assert line in err
    assert virgin.files == {} and not work.exists()
    record.append(work, {"chip": "12345678", "acknowledged": True})
    code, _, err = program(virgin, *options, "--record", work, password=label(CHIP))
    assert code == 0, err
    assert len(record.load(work)) == 2


def test_R23_an_unknown_or_early_date_is_warned_of_and_recorded(virgin, program, tmp_path):
    work = tmp_path / "work.json"
    options = ("--eid", 7, "--form", "2S", "--record", work, "--acknowledge")
    _, _, err = program(virgin, *options, password=label(CHIP))
    assert "date of purchase is unknown" in err
    assert "date unknown" in record.load(work)[-1]["warnings"]
    _, _, err = program(virgin, "--bought", "2007-08-31", "--record", work, password=label(CHIP))
    assert "early one" in err
    assert list(record.load(work)[-1]["warnings"]) == ["early meter"]
    _, _, err = program(virgin, "--bought", "2007-09-01", password=label(CHIP))
    assert err == ""


def test_F2_transformer_rated_forms_are_reminded_of_the_ratios(desk, program):
    for form in ("3S", "4S"):
        code, _, err = program(desk, "--form", form)
        assert code == 0 and "ratios belong in the meter" in err
    code, _, err = program(desk, "--form", "2K")
    assert (code, err) == (0, "")


def test_what_is_not_given_stays_as_it_is(desk, program):
    given = ("--poll-s", 30, "--no-detent", "--interval-min", 5, "--demand-min", 30)
    given += ("--sub-min", 5, "--clpu-min", 20, "--clpu-outage-s", 600, "--lockout-s", 0)
    given += ("--offset-min", -360, "--no-daylight", "--largest-kw", 400, "--display", "40,41")
    code, _, err = program(desk, *given)
    assert code == 0, err
    wanted = {**SETTINGS, "poll_s": 30, "detent": False, "interval_min": 5, "demand_min": 30}
    wanted |= {"sub_min": 5, "clpu_min": 20, "clpu_outage_s": 600, "lockout_s": 0}
    wanted |= {"offset_min": -360, "daylight": False, "largest_kw": 400, "display": [40, 41]}
    assert {name: stored(desk)[name] for name in wanted} == wanted
    assert program(desk, "--detent", "--net", "--display", "none", "--seal", "--encrypt")[0] == 0
    assert (stored(desk)["net"], stored(desk)["display"]) == (True, [])


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "offset_min": st.integers(-721, 841),
            "daylight": st.booleans(),
            "interval_min": st.integers(0, 61),
            "demand_min": st.sampled_from((5, 15, 30, 60)),
            "sub_min": st.integers(-1, 61),
            "clpu_min": st.integers(-1, 256),
            "clpu_outage_s": st.integers(-1, 90_000),
            "lockout_s": st.integers(-1, 3_000_000),
            "detent": st.booleans(),
            "net": st.booleans(),
            "net_register": st.booleans(),
        },
    )
)
def test_the_engine_takes_every_setting_that_is_not_refused(fields):
    try:
        made = check({"eid": 1, "form": "2S", **fields}, ["2S"], PROFILES)
    except SettingsError:
        return
    engine = Engine(72_000, made["detent"], made["net"], 18, made["net_register"])
    engine.configure_profile(made["interval_min"])
    engine.configure_demand(
        made["demand_min"],
        made["sub_min"] or made["demand_min"],
        made["clpu_min"],
        made["clpu_outage_s"],
        made["lockout_s"],
    )
    engine.configure_site(made["offset_min"], made["daylight"])


def test_every_setting_has_an_option(capsys):
    with pytest.raises(SystemExit):
        main(["program", "--help"])
    text = capsys.readouterr().out
    for name in NAMES:
        assert "--" + name.replace("_", "-") in text, name


@pytest.mark.parametrize(
    "options",
    [
        ("--eid", 0),
        ("--form", "1S"),
        ("--form", "9S"),
        ("--poll-s", 5),
        ("--net", "--no-detent"),
        ("--net-register", "--no-detent"),
        ("--demand-min", 15, "--sub-min", 4),
        ("--profile", "none"),
        ("--channel", 13_000),
        ("--interval-min", 7),
        ("--offset-min", -301),
        ("--clpu-outage-s", 70_000),
        ("--bought", "yesterday"),
        ("--bought", "2007-13"),
        ("--display", "40,x"),
        ("--display", "40", "--bought", "2007-08"),
        ("--display", "40", "--bought", "unknown"),
        ("--poll-s", 30, "--role", "cis"),
        ("--poll-s", 30, "--role-version", "3.2"),
        ("--poll-s", 30, "--keys", "no-such-file"),
        ("--encrypt",),
        (),
    ],
    ids=lambda options: " ".join(map(str, options)) or "nothing",
)
def test_R21_a_bad_setting_is_one_sentence_and_changes_nothing(desk, program, options):
    before = dict(desk.files)
    code, _, err = program(desk, *options)
    assert code == 2
    assert err.startswith("wattline: ") and err.count("\n") == 1, err
    assert desk.files == before and not desk.restarted.is_set()


def test_keys_need_the_admin_and_nothing_is_half_applied(desk, program, tmp_path):
    before = dict(desk.files)
    keys = tmp_path / "keys.json"
    words = {**PASSWORDS, "admin_password": "NEW-ADMIN-PASS"}
    keys.write_text(json.dumps({name: word.encode().hex() for name, word in words.items()}))
    write = PASSWORDS["write_password"]
    code, _, err = program(desk, "--poll-s", 30, "--keys", keys, password=write)
    assert code == 2 and "admin password" in err
    assert desk.files == before
    code, out, err = program(desk, "--poll-s", 30, "--keys", keys)
    assert code == 0, err
    assert "never shown" in out and "NEW-ADMIN" not in out
    assert program(desk, "--poll-s", 40)[0] == 1, "the old one is over"
    assert program(desk, "--poll-s", 40, password="NEW-ADMIN-PASS")[0] == 0
    read = PASSWORDS["read_password"]
    code, _, err = program(desk, "--poll-s", 50, password=read)
    assert code == 2 and "write password" in err
    assert stored(desk)["poll_s"] == 40


def test_what_the_module_says_of_its_meter_is_warned_of(desk, program, tmp_path):
    desk.extra_status = {
        "voltage_dv": 1195,
        "interface_bits": DISPLAY_DIFFERS | DISPLAY_FULL,
        "meter_state": "NOT_LOGGING",
    }
    work = tmp_path / "work.json"
    code, _, err = program(desk, "--poll-s", 30, "--record", work)
    assert code == 0
    assert "programming only" in err and "119.5 V" in err  # R60, R61
    assert "is not what the module counts" in err  # R72
    assert "maximum number of display records reached" in err  # R96
    assert "patch is missing" in err  # R26
    assert len(record.load(work)[-1]["warnings"]) == 4
    _, _, err = program(desk, "--no-detent")
    assert "what the module counts changes" in err  # D-8
    assert advice.from_status({"voltage_dv": 2400, "interface_bits": 0}, 240) == []
    assert advice.from_status({"voltage_dv": 1200}, 120) == []


# -- keys and record as files --------------------------------------------------------


def test_keys_are_never_overwritten(desk, program, tmp_path):
    keys = tmp_path / "keys.toml"
    keys.write_text("mine")
    before = dict(desk.files)
    code, _, err = program(desk, "--new-keys", keys)
    assert code == 2 and "never overwritten" in err
    assert keys.read_text() == "mine" and desk.files == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no keys"),
        ("nonsense", "holds no keys"),
        ('read_password = "4142434445464748"', "no admin_password"),
        ('admin_password = "xyz"', "hexadecimal"),
        ('admin_password = "4142"', "8 to 20 bytes"),
        ('admin_password = "4142434445464748"\nkey = "00"', "key is not a key"),
        ("x" * 5000, "too long"),
    ],
)
def test_a_bad_keys_file_is_told_without_its_content(tmp_path, text, told):
    path = tmp_path / "keys.toml"
    path.write_text(text)
    with pytest.raises(WattlineError, match=told) as raised:
        passwords.read_keys(path)
    assert "4142" not in str(raised.value) and "xyz" not in str(raised.value)


def test_new_keys_are_good_and_never_the_same(tmp_path):
    made = [passwords.make_keys(tmp_path / str(i)) for i in range(20)]
    for i, keys in enumerate(made):
        assert passwords.read_keys(tmp_path / str(i)) == keys
        assert set(keys) == set(passwords.NEW) <= set(KEYS)
    secrets = [secret for keys in made for secret in keys.values()]
    assert len(set(secrets)) == len(secrets)


def test_a_password_is_a_file_s_first_line_or_its_level_s_key(tmp_path, monkeypatch):
    path = tmp_path / "secret"
    path.write_text("WORD\nsecond line\n")
    assert passwords.password(str(path), "read") == b"WORD"
    path.write_text(f'read_password = "{b"READ-PASS".hex()}"')
    assert passwords.password(str(path), "read") == b"READ-PASS"
    assert passwords.password(str(path), "admin") is None
    for text in ("", "\n\n", "x" * 21):
        path.write_text(text)
        with pytest.raises(WattlineError, match="1 to 20"):
            passwords.password(str(path), "read")
    monkeypatch.delenv(passwords.VARIABLE, raising=False)
    assert passwords.password(None, "read") is None
    monkeypatch.setattr(passwords.getpass, "getpass", lambda prompt: "TYPED")
    assert passwords.password("prompt", "read") == b"TYPED"


def test_a_record_that_is_none_is_refused_before_anything_is_written(desk, program, tmp_path):
    before = dict(desk.files)
    for text in ("{", '{"a": 1}', "[1]", "\xff"):
        path = tmp_path / "work.json"
        path.write_text(text)
        code, _, err = program(desk, "--poll-s", 30, "--record", path)
        assert code == 2 and "programming record" in err, text
    assert desk.files == before


# -- over USB ------------------------------------------------------------------------


class Prompt:
    """The MicroPython prompt of a board: runs what is sent, with the board's modules."""

    def __init__(self, store):
        self.store = store
        self.ran = []

    def exec(self, code):
        self.ran.append(code)
        fakes = {
            "board": SimpleNamespace(PART_NUMBER="FASY-0624-0004"),
            "build_info": SimpleNamespace(BOARD=BOARD),
            "machine": SimpleNamespace(unique_id=lambda: CHIP),
        }
        kept = {name: sys.modules.get(name) for name in fakes}
        reads = files.read, files.replace
        files.read = lambda path, most: self.store.get(path)
        files.replace = self.store.__setitem__
        sys.modules.update(fakes)
        out = StringIO()
        try:
            with redirect_stdout(out):
                exec(code, {})
        finally:
            files.read, files.replace = reads
            for name, module in kept.items():
                if module is None:
                    del sys.modules[name]
                else:
                    sys.modules[name] = module
        return out.getvalue()


def test_over_usb_settings_and_keys_are_written_whole_and_read_back():
    prompt = Prompt({})
    target = UsbTarget(prompt, {"voltage_dv": 2400})
    facts = target.facts()
    assert facts.is_virgin and facts.settings == {} and facts.board == BOARD
    assert facts.forms == forms.names("FASY-0624-0004")
    keys = {name: word.encode().hex() for name, word in PASSWORDS.items()}
    written = target.write({"eid": 5, "form": "2S"}, keys)
    assert json.loads(prompt.store["/settings.json"]) == written
    assert json.loads(prompt.store["/keys.json"]) == keys
    assert not target.facts().is_virgin and target.facts().settings == written
    more = {"line_key": "00112233445566778899aabbccddeeff"}
    target.write(written, more)
    assert json.loads(prompt.store["/keys.json"]) == {**keys, **more}
    assert usb.label(prompt) == label(CHIP).decode()


def test_over_usb_what_is_refused_writes_nothing():
    prompt = Prompt({})
    for fields, keys in (
        ({"eid": 5, "form": "1S"}, None),
        ({"eid": 5, "form": "2S", "ct": 40}, None),
        ({"eid": 5, "form": "2S"}, {"read_password": "00"}),
    ):
        with pytest.raises(WattlineError, match="nothing was written"):
            usb.program(prompt, fields, keys)
    assert prompt.store == {}
    prompt.store["/settings.json"] = b'{"eid": 5, "fo'
    assert usb.facts(prompt)["settings"] == {}, "damaged, but not new"
