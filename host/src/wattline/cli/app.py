"""The root command: finds a sub-command by name and turns expected failures into one sentence."""

import importlib
import os
import sys

import cyclopts

from wattline import __version__
from wattline.errors import WattlineError

# name -> one line for `wattline --help`; the code lives in wattline/cli/<name>.py and is
# imported only when it is called, so that help and small commands start at once.
COMMANDS = {
    "bench": "The main job: emulated module, meter, line and collector, live.",
    "benchmark": "Measure the emulator and the firmware.",
    "collect": "Decode a recording of the line.",
    "command": "Give a module a command through its programming port.",
    "display": "See and set which items a meter's display shows.",
    "dump": "Read all tables of a C12.18 device.",
    "emulator": "Run a firmware image on the emulated board.",
    "flash": "Write an image into a blank board and verify that it runs.",
    "image": "Build and inspect firmware images.",
    "line": "Synthesise the power line.",
    "meter": "Serve a simulated FOCUS AL meter.",
    "probe": "Find out what is wrong with an optical link.",
    "program": "Write settings into a module.",
    "read": "Read a module's values and records.",
    "release": "Make, sign and inspect releases of the application.",
    "replay": "Run the metering engine over a log or a scenario, and explain it.",
    "station": "Program a batch of modules, one after the other.",
    "status": "Ask a module how it is.",
    "update": "Bring a release into a module in the field.",
}


def build_app() -> cyclopts.App:
    """Return the root application with every sub-command registered lazily."""
    app = cyclopts.App(
        name="wattline",
        version=__version__,
        help="Build, program, test and collect from the TS2 FOCUS AL compatible endpoint.",
    )
    for name, summary in COMMANDS.items():
        app.command(f"wattline.cli.{name}:app", name=name, help=summary)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exit code 2 for bad use, 1 for a failed run, 130 for Ctrl-C."""
    # Our matrices are small: a second thread costs more than it brings. Read when NumPy loads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        result = build_app()(arguments, result_action="return_value")
    except WattlineError as error:
        print(f"wattline: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("wattline: stopped", file=sys.stderr)
        sys.exit(130)
    sys.exit(result if isinstance(result, int) else 0)


def load(name: str) -> cyclopts.App:
    """Return the application of one sub-command (for tests)."""
    return importlib.import_module(f"wattline.cli.{name}").app
