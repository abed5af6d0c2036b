"""wattline emulator: run an image without a board."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from wattline.errors import WattlineError

app = App(name="emulator", help="Run a firmware image on an emulated module.")


@app.command
def run(
    image: Path,
    *,
    pty: Path = Path("wattline-module"),
    flash: Path | None = None,
    speed: Annotated[str, Parameter(help="Simulated seconds per second, or 'max'.")] = "1",
):
    """Run IMAGE with its USB console on a pseudo terminal, until Ctrl-C.

    Any program for serial ports can open the terminal, mpremote too:

        wattline emulator run firmware.uf2 --pty /tmp/module --flash module.bin
        mpremote connect /tmp/module repl

    Parameters
    ----------
    image
        UF2 file, as `wattline image build` makes it.
    pty
        Where to put the link to the terminal.
    flash
        File with the contents of the flash chip; read at the start if it exists, written at the
        end.
    """
    from wattline.emulator import Module
    from wattline.emulator.pty import console_port, serve

    factor = _factor(speed)
    if not image.is_file():
        raise WattlineError(f"{image} is no file: build one with 'make uf2'")
    content = flash.read_bytes() if flash is not None and flash.exists() else None
    module = Module(image, content)
    try:
        port = console_port(module, pty)
    except OSError as error:
        raise WattlineError(
            f"{pty} cannot be made ({error.strerror}): choose another path with --pty"
        ) from None
    print(f"The module's console is {pty}. Ctrl-C ends it.", flush=True)
    try:
        with suppress(KeyboardInterrupt):
            serve(module, [port], factor)
    finally:
        port.close()
        if flash is not None:
            flash.write_bytes(module.flash)


@app.command(name="compile")
def compile_native():
    """Compile the emulator's native parts for this Python: about three times as fast.

    Takes half a minute, once; needs a C compiler and the headers of Python.
    """
    from wattline.emulator import compiled

    print(f"Compiled: {compiled.build()}")


def _factor(speed):
    if speed == "max":
        return None
    with suppress(ValueError):
        if float(speed) > 0:
            return float(speed)
    raise WattlineError(f"--speed {speed} is no speed: give a number above 0, or max")
