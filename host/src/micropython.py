"""What device code takes from MicroPython's `micropython` module, for CPython.

`viper` and `native` leave the function as it is, so a kernel that stays within 31-bit
non-negative integers computes the same in both worlds; the pointer casts become views
that index like C pointers.
"""

import builtins


def const(value):
    """Return `value`; MicroPython's compiler folds it."""
    return value


def native(function):
    """Return `function` unchanged."""
    return function


viper = native


def heap_lock():
    """Do nothing; only the MicroPython VM can prove the absence of allocation."""


heap_unlock = heap_lock


def _cast(code):
    def pointer(buffer):
        return memoryview(buffer).cast("B").cast(code)

    return pointer


# MicroPython's viper knows these names without an import.
for _name, _code in (("ptr8", "B"), ("ptr16", "H"), ("ptr32", "i")):
    if not hasattr(builtins, _name):
        setattr(builtins, _name, _cast(_code))
if not hasattr(builtins, "uint"):
    builtins.uint = int
