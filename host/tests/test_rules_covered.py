"""Every numbered metering rule has a test that carries its name (`test_M7_…`, `…_and_N3`)."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_FOLDERS = ("firmware/tests", "host/tests", "hil_tests")

# How many rules each chapter has.
RULES = {
    "E": 10,  # registers
    "D": 9,  # detent and net
    "X": 8,  # discontinuities
    "A": 5,  # spreading energy over time
    "M": 14,  # demand
    "T": 12,  # time of use
    "L": 6,  # intervals
    "V": 4,  # voltage
    "C": 7,  # time
    "O": 6,  # outages
    "F": 3,  # meter table
    "P": 2,  # operating limits
    "G": 4,  # versions and display slots
}
NEW = ("N1", "N2", "N3", "N8", "N9")  # what the metering engine adds to the rules


def tested():
    """Return every rule that stands in the name of a test."""
    names = []
    for folder in _FOLDERS:
        for path in (_ROOT / folder).glob("test_*.py"):
            names += re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)
    return {rule for name in names for rule in re.findall(r"(?<=_)[A-Z]\d+(?=_|$)", name)}


def test_no_rule_is_without_a_test():
    rules = [f"{chapter}{n}" for chapter, count in RULES.items() for n in range(1, count + 1)]
    assert [rule for rule in (*rules, *NEW) if rule not in tested()] == []
