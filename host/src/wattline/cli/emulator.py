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
    programming: Path | None = None,
    optical: Path | None = None,
    flash: Path | None = None,
    speed: Annotated[str, Parameter(help="Simulated seconds per second, or 'max'.")] = "1",
):
    """Run IMAGE with its USB console on a pseudo terminal, until Ctrl-C.

    Any program for serial ports can open the terminal, mpremote too:

        wattline emulator run firmware.uf2 --pty /tmp/module --flash module.bin
        mpremote connect /tmp/module repl

    Its two infrared ports can be terminals as well, for any C12.18 client or meter:

        wattline emulator run firmware.uf2 --flash module.bin --programming /tmp/port
        wattline dump /tmp/port

    Parameters
    ----------
    image
        UF2 file, as `wattline image build` makes it.
    pty
        Where to put the link to the terminal.
    programming
        Where to put a link to the programming port, if it is wanted.
    optical
        Where to put a link to the port that faces the meter, if it is wanted. A terminal cannot
        be connected to another one: the meter's side is the program that opens this.
    flash
        File with the contents of the flash chip; read at the start if it exists, written at the
        end.
    """
    from wattline.emulator import Module
    from wattline.emulator.pty import console_port, serve
    from wattline.image import boards

    factor = _factor(speed)
    if not image.is_file():
        raise WattlineError(f"{image} is no file: build one with 'make uf2'")
    content = flash.read_bytes() if flash is not None and flash.exists() else None
    module = Module(image, content)
    # Every board of the family has its ports at the same place.
    wiring = boards.data(boards.names()[0])
    ports = []
    try:
        for name, link, make in (
            ("console", pty, lambda link: console_port(module, link)),
            ("programming port", programming, module.uart[wiring.PROGRAM_UART].serve_pty),
            ("optical port", optical, module.uart[wiring.OPTICAL_UART].serve_pty),
        ):
            if link is not None:
                ports.append(_made(link, make))
                print(f"The module's {name} is {link}.", flush=True)
        print("Ctrl-C ends it.", flush=True)
        with suppress(KeyboardInterrupt):
            serve(module, ports, factor)
    finally:
        for port in ports:
            port.close()
        if flash is not None and ports:
            flash.write_bytes(module.flash)


def _made(link, make):
    try:
        return make(link)
    except OSError as error:
        raise WattlineError(
            f"{link} cannot be made ({error.strerror}): choose another path"
        ) from None


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
