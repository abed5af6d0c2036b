"""wattline update: bring a release into a module in the field."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import cyclopts
from rich.console import Console
from rich.progress import Progress

from wattline.board.console import read_status
from wattline.board.find import find_console
from wattline.board.role import check_reflash
from wattline.board.session import USB_BAUD_BPS, BoardSession
from wattline.board.update import Updater, check_fits
from wattline.cli.options import Json, Switch, examples
from wattline.errors import RunError, WattlineError
from wattline.release.package import Release, version_text

app = cyclopts.App(
    name="update",
    help_epilogue=examples(
        "wattline update my.release --role mas --role-version 3.2",
        "wattline update my.release --role mas --role-version 3.2 --dry-run",
        "wattline update --rollback --role mas --role-version 3.2",
        "wattline command service-window 1800 --port /dev/ttyUSB0 --password-file keys.toml",
        "wattline update my.release --role mas --role-version 3.2 --port /dev/ttyUSB0",
        after="What ran before comes back if the new application does not work.",
    ),
)
# A module on trial has to read its meter once; the module itself gives up after 15 minutes.
_TRIAL_S = 16 * 60
_LOOK_S = 5.0


@app.default
def run(
    release: Path | None = None,
    /,
    *,
    role: str,
    role_version: str,
    usb: str | None = None,
    port: str | None = None,
    baud_bps: Annotated[int, cyclopts.Parameter(name="--baud")] = USB_BAUD_BPS,
    rollback: Switch = False,
    dry_run: Switch = False,
    no_meter: Switch = False,
    wait: bool = True,
    as_json: Json = False,
) -> None:
    """Verify, send what is missing, restart on trial, wait for the confirmation.

    Parameters
    ----------
    release
        File made by `wattline release build`.
    role
        Programming system you work with: mas or eas.
    role_version
        Its version; re-flashing needs 3.2 or later.
    usb
        Serial port of the module on USB; without it and --port the only module is taken.
    port
        Serial device of the probe at the programming port, whose service window is open.
    baud_bps
        Rate of that window.
    rollback
        Go back to the application before this one instead.
    dry_run
        Let the module judge it and say what would be sent; nothing is changed.
    no_meter
        Confirm without a meter: for a bench.
    wait
        Wait until the module has confirmed the new application or gone back; over USB only,
        because a restart closes the service window.
    """
    check_reflash(role, role_version)
    if (release is None) != rollback:
        raise WattlineError("name either a release to install or --rollback")
    package = None if release is None else Release.read(release)
    where = find_console(usb, port)
    started_s = time.monotonic()
    with BoardSession(where, baud_bps, fresh=True, say=_say) as session:
        updater = Updater(session)
        before = updater.report()
        facts: dict[str, Any] = {"board": before["board"], "before": before["active"]}
        if package is None:
            if dry_run:
                facts["result"] = "would go back"
            else:
                updater.roll_back()
                facts["result"] = "rolled back"
        else:
            facts.update(_install(updater, package, before, dry_run, needs_meter=not no_meter))
    facts["seconds"] = round(time.monotonic() - started_s, 1)
    if package is not None and not dry_run and wait and port is None:
        facts["result"] = _await_verdict(where, facts["slot"])
    _show(facts, as_json=as_json)
    if str(facts["result"]).startswith("rejected"):
        raise RunError(f"the new application was {facts['result']}; the one before it runs again")


def _install(
    updater: Updater, release: Release, before: dict[str, Any], dry_run: bool, *, needs_meter: bool
) -> dict[str, Any]:
    check_fits(release, before)
    plan = updater.preview(release) if dry_run else updater.plan(release)
    facts = {
        "version": version_text(release.manifest.version),
        "slot": "b" if before["active"] == "a" else "a",
        "blocks": len(plan.blocks),
        "sent_bytes": plan.sent_bytes,
        "copied_bytes": plan.copied_bytes,
        "there_bytes": plan.there_bytes,
        "result": "would be installed",
    }
    if dry_run:
        return facts
    with Progress(transient=True, console=Console(stderr=True)) as progress:
        bar = progress.add_task("Sending", total=len(plan.blocks))
        updater.send(plan, lambda done, _: progress.update(bar, completed=done))
    updater.finish(needs_meter=needs_meter)
    return {**facts, "result": "on trial"}


def _await_verdict(port: str, slot: str) -> str:
    """Ask the module until its trial is over; return what became of it."""
    deadline_s = time.monotonic() + _TRIAL_S
    state = "on trial"
    with Progress(transient=True, console=Console(stderr=True)) as progress:
        progress.add_task("On trial: waiting for its first good read", total=None)
        while time.monotonic() < deadline_s:
            time.sleep(_LOOK_S)
            try:
                state = str(read_status(port).get("slot_" + slot, state))
            except WattlineError:
                continue  # it restarts
            if not state.startswith("trial"):
                break
    return state


def _say(text: str) -> None:
    print(f"wattline: {text}", file=sys.stderr)


def _show(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name:13} {value:,}" if isinstance(value, int) else f"{name:13} {value}")
