"""Run the test functions of one file inside the MicroPython VM; `conftest.py` starts it.

Command line: the test module's name, then the names of its functions to run. Each
result is one line on standard output, `MARK name outcome`; what a test writes itself
and the traceback of a failure stand between the lines.
"""

import sys

import micropython

MARK = "\x01test"


def _unlock_heap():
    """Give the heap back after a test that failed between `heap_lock` and `heap_unlock`."""
    micropython.heap_lock()
    while micropython.heap_unlock():
        pass


def _run(module, name):
    """Return whether the test `name` of `module` passed; print its traceback when not."""
    try:
        getattr(module, name)()
    except BaseException as error:
        _unlock_heap()
        sys.print_exception(error, sys.stdout)
        return False
    _unlock_heap()
    return True


def main(module_name, *names):
    """Import the module and run its tests in the order given."""
    module = __import__(module_name)
    for name in names:
        sys.stdout.write("%s %s started\n" % (MARK, name))
        outcome = "passed" if _run(module, name) else "failed"
        sys.stdout.write("\n%s %s %s\n" % (MARK, name, outcome))


main(*sys.argv[1:])
