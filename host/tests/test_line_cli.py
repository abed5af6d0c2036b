"""wattline line synth and wattline collect: what one writes the other reads, and bad use."""

import json

import numpy as np
import pytest

from wattline.cli.app import main


def _run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return stop.value.code, out, err


@pytest.mark.parametrize("suffix", ["wav", "npz"])
def test_synth_is_collected(tmp_path, capsys, suffix):
    path = tmp_path / f"line.{suffix}"
    code, out, _ = _run(
        capsys, "line", "synth", "-o", path, "--endpoints", 2, "--seconds", 62, "--json"
    )
    assert code == 0
    sent = {(r["eid"], r["payload"]) for r in json.loads(out)["sent"]}
    code, out, _ = _run(capsys, "collect", path, "--json")
    assert code == 0
    heard = [(f["eid"], f["payload"]) for f in json.loads(out)["frames"]]
    assert len(heard) >= 4 and set(heard) <= sent
    code, out, _ = _run(capsys, "collect", path)
    assert code == 0 and heard[0][0] in out


def test_identity_can_be_given(tmp_path, capsys):
    path = tmp_path / "line.npz"
    _run(capsys, "line", "synth", "-o", path, "--seconds", 62)
    with np.load(path) as arrays:
        late = {name: arrays[name] for name in arrays.files}
    # The JOIN is cut off.
    for name in ("voltage", "current"):
        late[name] = late[name][22 * 4800 :]
    np.savez(path, **late)
    code, out, _ = _run(capsys, "collect", path, "--json")
    assert code == 0 and json.loads(out)["frames"] == []
    code, out, _ = _run(capsys, "collect", path, "--json", "--eid", "200003e8")
    assert code == 0 and {f["kind"] for f in json.loads(out)["frames"]} == {"REGISTER"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("line", "synth", "-o", "x.mp3", "--seconds", 1), ".wav or .npz"),
        (("line", "synth", "-o", "x.wav", "--endpoints", 34), "33 channels"),
        (("line", "synth", "-o", "x.wav", "--seconds", 0), "give 1 to"),
        (("line", "synth", "-o", "nowhere/x.wav", "--seconds", 1), "cannot be written"),
        (("collect", "missing.wav"), "No such file"),
        (("collect", "x.csv"), "only .wav and .npz"),
        (("collect", "text.wav"), "two channels"),
        (("collect", "text.npz"), "two channels"),
        (("collect", "empty.npz"), "voltage and current"),
        (("collect", "fast.npz"), "resample to 4800"),
        (("collect", "silent.npz"), "no line voltage"),
        (("collect", "silent.npz", "--eid", "xyz"), "8 hex digits"),
    ],
)
def test_bad_use_is_one_sentence(tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    for name in ("text.wav", "text.npz"):
        (tmp_path / name).write_text("this is no recording at all, only a line of text\n" * 9)
    np.savez("empty.npz", other=np.zeros(3))
    zeros = np.zeros(9600, np.float32)
    np.savez("fast.npz", voltage=zeros, current=zeros, rate_sps=48000)
    np.savez("silent.npz", voltage=zeros, current=zeros, rate_sps=4800)
    code, _, err = _run(capsys, *arguments)
    lines = [line for line in err.splitlines() if line.startswith("wattline:")]
    assert code == 2 and len(lines) == 1 and words in lines[0]
    assert "Traceback" not in err
