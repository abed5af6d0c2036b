"""`wattline station`: a batch of modules, each on its own (R59)."""

import builtins
import json
from contextlib import ExitStack

import pytest
from module_on_desk import CHIP, Desk

from endpoint.module import label
from wattline.cli.app import main
from wattline.errors import WattlineError
from wattline.programmer import batch, passwords, record

LABEL = label(CHIP).decode()


class Bench:
    """A probe under which a person puts one new module after the other."""

    def __init__(self, folder):
        self.probe = folder / "probe"
        self.stack = ExitStack()
        self.module = None
        self.asked = 0
        self.answers = {}

    def put(self, *_):
        """Answer the question of the station: the next module lies there."""
        self.stack.close()
        self.module = self.stack.enter_context(Desk(None, keyed=False))
        self.probe.unlink(missing_ok=True)
        self.probe.symlink_to(self.module.port)
        self.asked += 1
        return self.answers.get(self.asked, "")


@pytest.fixture
def bench(tmp_path, monkeypatch):
    made = Bench(tmp_path)
    monkeypatch.setattr(builtins, "input", made.put)
    yield made
    made.stack.close()


@pytest.fixture
def station(bench, tmp_path, capsys):
    """Return a function that programs a batch: (code, results, errors)."""

    def run(text, *more):
        file = tmp_path / "batch.csv"
        file.write_text(text)
        place = ("--port", bench.probe, "--keys-folder", tmp_path / "keys")
        place += ("--record", tmp_path / "work.json", "--acknowledge", "--json")
        try:
            main([str(argument) for argument in ("station", file, *place, *more)])
            code = 0
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, json.loads(out) if out else None, err

    return run


def test_R59_ten_modules_one_failure_and_the_batch_goes_on(station, bench, tmp_path):
    lines = [f"{LABEL},{eid},2S,2009-05,{'yes' if eid % 2 else 'no'}" for eid in range(101, 111)]
    lines[3] = f"0000000000000000,{104},2S,2009-05,yes"
    text = "label,eid,form,bought,detent\n" + "\n".join(lines) + "\n"
    code, results, err = station(text)
    assert code == 1 and bench.asked == 10
    states = [result["state"] for result in results]
    assert states == ["programmed"] * 3 + ["failed"] + ["programmed"] * 6
    assert results[3]["eid"] == 104 and results[3]["reason"]
    entries = record.load(tmp_path / "work.json")
    assert [entry["settings"]["eid"] for entry in entries if entry["verified"]] == [
        eid for eid in range(101, 111) if eid != 104
    ]
    failed = [entry for entry in entries if not entry["verified"]]
    assert [entry["eid"] for entry in failed] == [104] and failed[0]["reason"]
    assert len(entries) == 10
    assert entries[0]["settings"]["detent"] and not entries[1]["settings"]["detent"]
    assert all(entry["check_list"] for entry in entries if entry["verified"])
    secrets = [
        secret
        for path in (tmp_path / "keys").iterdir()
        for secret in passwords.read_keys(path).values()
    ]
    assert len(set(secrets)) == len(secrets) == 9 * len(passwords.NEW)
    written = (tmp_path / "work.json").read_text() + err + json.dumps(results)
    assert LABEL not in written and not any(secret in written for secret in secrets)
    # The label is put right: only the failed one is asked for.
    lines[3] = f"{LABEL},104,2S,2009-05,yes"
    code, results, _ = station("label,eid,form,bought,detent\n" + "\n".join(lines) + "\n")
    assert code == 0 and bench.asked == 11
    assert [result["state"] for result in results].count("skipped") == 9
    assert results[3]["state"] == "programmed"


def test_R59_left_out_by_hand_is_neither_done_nor_failed(station, bench, tmp_path):
    bench.answers = {1: "s"}
    code, results, _ = station(f"label,eid,form\n{LABEL},7,2S\n{LABEL},8,2S\n")
    assert code == 0
    assert [result["state"] for result in results] == ["skipped", "programmed"]
    assert not (tmp_path / "keys" / "7.toml").exists()


def test_R59_a_module_that_has_its_keys_already_is_opened_with_them(station, bench, tmp_path):
    assert station(f"label,eid,form\n{LABEL},7,2S\n")[0] == 0
    keys = (tmp_path / "keys" / "7.toml").read_text()
    bench.module.start()  # it has restarted with what was written
    code, results, _ = station("eid,poll_s\n7,30\n", "--no-wait")
    assert code == 0, results
    assert json.loads(bench.module.files["/settings.json"])["poll_s"] == 30
    assert (tmp_path / "keys" / "7.toml").read_text() == keys
    # A file of keys that never reached the module: its label opens it, and they are written.
    (tmp_path / "work.json").unlink()
    code, results, _ = station(f"label,eid,form\n{LABEL},7,2S\n")
    assert code == 0, results
    assert json.loads(bench.module.files["/keys.json"]) == passwords.read_keys(
        tmp_path / "keys" / "7.toml"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no column eid"),
        ("eid\n", "names no module"),
        ("form\n2S\n", "no column eid"),
        ("eid,eid\n1,2\n", "twice"),
        ("eid,colour\n1,red\n", "column 'colour'"),
        ("eid,kh\n1,7.2\n", "column 'kh'"),
        ("eid,form\n1\n", "line 2: it has not as many cells"),
        ("eid,form\n1,2S,3\n", "line 2: it has not as many cells"),
        ("eid,poll_s\n1,often\n", "line 2: poll_s is a number, yes or no"),
        ("eid,bought\n1,May 2009\n", "no date of purchase"),
        ("eid,form\n,2S\n", "line 2: there is no eid"),
        ("eid\n5\n6\n5\n", "lines 2 and 4: both have eid 5"),
    ],
)
def test_a_wrong_batch_is_refused_before_the_first_module(tmp_path, text, told):
    file = tmp_path / "batch.csv"
    file.write_text(text)
    with pytest.raises(WattlineError, match=told):
        batch.read(file)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "batch.csv"
    file.write_bytes(b"eid\n\xff\xfe\n")
    for path in (file, tmp_path / "none.csv", tmp_path):
        with pytest.raises(WattlineError, match="cannot be read"):
            batch.read(path)
