"""`wattline dump`: all tables of a C12.18 device."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.text import Text

from wattline.cli.options import Echo, Json, examples
from wattline.errors import RunError, WattlineError
from wattline.optical.dump import Dump
from wattline.optical.listener import Listener
from wattline.optical.names import MT, table_name
from wattline.optical.port import OpticalPort
from wattline.optical.session import Session

app = App(
    name="dump",
    help="Read all tables of a C12.18 device through its optical port.",
    help_epilogue=examples(
        "wattline dump /dev/ttyUSB0",
        "wattline dump /dev/ttyUSB0 --tables 0,1,21-28 --json > meter.json",
    ),
)

_PROGRESS_S = 0.5
_MOST_TABLE = 2 * MT - 1
_HEX_WIDTH = 24
_MOST_PASSWORD_BYTES = 20


@app.default
def dump_command(
    port: Annotated[str, Parameter(help="Serial device or pseudo terminal.")],
    *,
    password: Annotated[str | None, Parameter(help="Password, text.")] = None,
    password_hex: Annotated[
        str | None, Parameter(help="Password, hexadecimal, for those that are no text.")
    ] = None,
    level: Annotated[
        int, Parameter(help="User id of the logon; some devices tie rights to it.")
    ] = 0,
    user: Annotated[str, Parameter(help="User name, at most 10 characters.")] = "WATTLINE",
    tables: Annotated[
        str | None, Parameter(help="Only these, for example 0,1,23,MT-1 or 21-28.")
    ] = None,
    echo: Echo = False,
    log: Annotated[
        Path | None, Parameter(help="Write every packet in words to this file.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Read every table that the device lists in ST-0 and print it decoded.

        wattline dump /dev/ttyUSB0 --password SECRET --tables 0,1,23
        wattline dump /tmp/meter --json > meter.json

    What is refused is listed with its reason. Ends with 1 if the link broke before the end.
    """
    wanted = _tables(tables)
    secret = _password(password, password_hex)
    if not 0 <= level <= 0xFFFF:
        raise WattlineError(f"--level {level} is no user id: give 0 to 65535.")
    log_file = _open(log)
    try:
        with OpticalPort(port) as opened:
            start_ns = time.monotonic_ns()
            listener = Listener(lambda event: _write(log_file, event, start_ns))

            def connect():
                session = Session(opened, listener.hear if log_file else None, echo)
                session.open(level, user, secret)
                return session

            dump = Dump(connect, _Progress())
            found = dump.run(wanted)
    finally:
        if log_file:
            log_file.close()
    if as_json:
        print(json.dumps({"complete": not dump.broken, "tables": [t.as_dict() for t in found]}))
    else:
        _show(found)
    if dump.broken:
        raise RunError(
            f"{dump.broken.rstrip('.')}: the dump is not complete; see `wattline probe {port}`."
        )
    return 0


class _Progress:
    """Says on the error channel how far it is, not too often."""

    def __init__(self):
        self._last_s = time.monotonic()

    def __call__(self, at, count, name):
        now_s = time.monotonic()
        if now_s - self._last_s >= _PROGRESS_S:
            self._last_s = now_s
            print(f"{at} of {count}: {name}", file=sys.stderr, flush=True)


def _show(found):
    console = Console(highlight=False)
    for table in found:
        head = table_name(table.number)
        if table.data is None:
            console.print(Text(f"{head}: not read, {table.refused}", style="yellow"))
            continue
        remark = f" ({table.remark})" if table.remark else ""
        console.print(Text(f"{head}, {len(table.data)} bytes{remark}", style="bold"))
        for field in table.fields:
            console.print(Text(f"    {field.name}: {field.text}"), soft_wrap=True)
        if not table.fields:
            for at in range(0, len(table.data), _HEX_WIDTH):
                row = table.data[at : at + _HEX_WIDTH]
                console.print(Text(f"    {at:5d}  {row.hex(' ')}"), soft_wrap=True)


def _tables(text):
    """Return table numbers of ``0,1,21-28,MT-1``."""
    if text is None:
        return None
    found = []
    for part in text.split(","):
        base, rest = (MT, part[3:]) if part.strip().upper().startswith("MT-") else (0, part)
        rest = rest.upper().strip().removeprefix("ST-")
        first, _, last = rest.partition("-")
        try:
            numbers = range(base + int(first), base + int(last or first) + 1)
        except ValueError:
            numbers = range(0)
        if not numbers or numbers[0] < 0 or numbers[-1] > _MOST_TABLE:
            raise WattlineError(
                f"{part.strip()!r} is no table: write numbers like 23, 21-28 or MT-1."
            )
        found += numbers
    return sorted(set(found))


def _password(text, hexadecimal):
    if text is not None and hexadecimal is not None:
        raise WattlineError("Give the password once: either --password or --password-hex.")
    try:
        secret = bytes.fromhex(hexadecimal) if hexadecimal is not None else None
    except ValueError:
        raise WattlineError(
            "--password-hex is no hexadecimal text: write two digits for each byte."
        ) from None
    if text is not None:
        secret = text.encode()
    if secret is not None and len(secret) > _MOST_PASSWORD_BYTES:
        raise WattlineError(f"A password has at most {_MOST_PASSWORD_BYTES} bytes.")
    return secret


def _open(path):
    if path is None:
        return None
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise WattlineError(
            f"Cannot write the log {path} ({error.strerror}): name a path that can be written."
        ) from None


def _write(file, event, start_ns):
    arrow = "→ meter" if event["direction"] == "C" else "← meter"
    seconds = (event["t_ns"] - start_ns) / 1e9
    file.write(f"{seconds:10.3f} s  {arrow}  {event['text']}\n")
