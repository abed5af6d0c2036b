"""`wattline release`: make, sign and inspect what the field gets."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from wattline.board.find import find_console
from wattline.board.session import USB_BAUD_BPS, BoardSession
from wattline.board.update import Updater
from wattline.cli.options import Json, examples
from wattline.errors import WattlineError
from wattline.image import paths
from wattline.release import keys as signing
from wattline.release.build import build_release, parse_version
from wattline.release.package import Release, version_text

app = App(
    name="release",
    help_epilogue=examples(
        "wattline release keys new ~/.wattline-key               once",
        "wattline release keys install ~/.wattline-key.pub       once for each module",
        "wattline release build --key ~/.wattline-key",
        "wattline update build/release/wattline-FASY_0624_0004-18.0.0.release \\",
        "    --role mas --role-version 3.2",
    ),
)
keys = App(name="keys", help="Keys that sign releases: yours, none comes with this package.")
app.command(keys)

DEFAULT_BOARD = "FASY_0624_0004"


@app.command
def build(
    *,
    board: str = DEFAULT_BOARD,
    key: Path | None = None,
    floor: str | None = None,
    source: Path | None = None,
    output: Path | None = None,
    as_json: Json = False,
) -> None:
    """Compile the application into a release; signed when a key is given.

    Parameters
    ----------
    board
        Board to build for, a folder in boards/.
    key
        Secret key to sign with; without one, sign later with `wattline release sign`.
    floor
        Oldest version that a module still accepts once it has confirmed this one; its own
        version when left out.
    source
        Folder that holds endpoint/; this checkout's firmware/ when left out.
    output
        File to write; build/release/ when left out.
    """
    secret = None if key is None else signing.SigningKey.read(key)
    lowest = None if floor is None else parse_version(floor)
    release = build_release(board, source=source, floor=lowest)
    if secret is not None:
        release = release.signed(secret)
    if output is None:
        name = f"wattline-{board}-{version_text(release.manifest.version)}.release"
        output = paths.checkout() / "build" / "release" / name
    _write(output, release)
    _show(output, _facts(release), as_json=as_json)


@app.command
def sign(file: Path, *, key: Path, as_json: Json = False) -> None:
    """Sign a release in place.

    Parameters
    ----------
    file
        The release.
    key
        Secret key, as `wattline release keys new` makes it.
    """
    release = Release.read(file).signed(signing.SigningKey.read(key))
    _write(file, release)
    _show(file, _facts(release), as_json=as_json)


@app.command
def inspect(file: Path, *, public: Path | None = None, as_json: Json = False) -> None:
    """Say what a release is and whether it is whole; with a public key, whose it is.

    Parameters
    ----------
    file
        The release.
    public
        Public key to check the signature with.
    """
    release = Release.read(file)
    facts = _facts(release)
    if public is not None:
        facts["signature"] = (
            "good" if release.is_signed_by(signing.read_public(public)) else "not by this key"
        )
    _show(file, facts, as_json=as_json)


@keys.command
def new(file: Path, *, as_json: Json = False) -> None:
    """Make a key: FILE is the secret half, to be kept; FILE.pub is for the modules."""
    key = signing.create(file)
    if as_json:
        names = {"secret": str(file), "public": str(signing.public_file(file))}
        print(json.dumps({**names, "key_id": key.key_id.hex()}))
        return
    print(f"{file}: secret, who has it can sign for your modules; keep a copy off line")
    print(f"{signing.public_file(file)}: public, key {key.key_id.hex()}")


@keys.command
def install(
    public: list[Path],
    /,
    *,
    usb: str | None = None,
    port: str | None = None,
    baud_bps: Annotated[int, Parameter(name="--baud")] = USB_BAUD_BPS,
    as_json: Json = False,
) -> None:
    """Write public keys into a module, in place of those it holds; three at most.

    Parameters
    ----------
    public
        Files that end in .pub.
    usb
        Serial port of the module on USB; without it and --port the only module is taken.
    port
        Serial device of the probe at the programming port, whose service window is open.
    baud_bps
        Rate of that window.
    """
    found = [signing.read_public(file) for file in public]
    if not 1 <= len(found) <= 3:
        raise WattlineError("a module holds one to three keys: name so many files")
    with BoardSession(find_console(usb, port), baud_bps, fresh=True, say=_say) as session:
        updater = Updater(session)
        updater.install_keys(found)
        count = updater.report()["update_keys"]
    if as_json:
        print(json.dumps({"update_keys": count}))
        return
    print(f"the module takes releases of {count} key{'s' if count > 1 else ''}")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _write(file: Path, release: Release) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(release.pack())
    except OSError as error:
        raise WattlineError(
            f"{file} cannot be written ({error.strerror}); choose another --output"
        ) from None


def _facts(release: Release) -> dict[str, Any]:
    manifest = release.manifest
    return {
        "version": version_text(manifest.version),
        "board": manifest.board,
        "build": manifest.build,
        "floor": version_text(manifest.floor),
        "bytes": len(release.pack()),
        "files": len(release.files()),
        "sha256": manifest.sha256.hex(),
        "signature": "present, not checked" if release.is_signed else "none",
    }


def _show(file: Path, facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"file": str(file), **facts}, indent=2))
        return
    print(file)
    for name, value in facts.items():
        print(f"  {name:10} {value}")
