"""The meter forms that the module's data sheet lists: a key is form and voltage."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """One meter form.

    Attributes
    ----------
    name : str
    volts : int
        Service voltage in V.
    class_amps : int
    segments : tuple of int
        C12.19 phase code of each voltage that the meter measures: 1 A-B, 5 A-N, 7 C-N.
    """

    name: str
    volts: int
    class_amps: int
    segments: tuple


FORMS = (
    Form("1S", 120, 100, (5,)),
    Form("3S", 120, 20, (5,)),
    Form("12S", 120, 200, (5, 7)),
    Form("25S", 120, 200, (5, 7)),
    Form("2S", 240, 200, (1,)),
    Form("2SE", 240, 320, (1,)),
    Form("2K", 240, 480, (1,)),
    Form("3S", 240, 20, (1,)),
    Form("4S", 240, 20, (1,)),
)


def find_form(name, volts=None):
    """Return the form of this name (rule F-1).

    Raises
    ------
    ValueError
        One sentence: the form is not listed, not at this voltage, or needs a voltage.
    """
    found = [form for form in FORMS if form.name == name and volts in (None, form.volts)]
    if len(found) == 1:
        return found[0]
    if found:
        choices = " or ".join(str(form.volts) for form in found)
        raise ValueError(f"Form {name} exists at {choices} V: say which voltage.")
    known = ", ".join(f"{form.name}/{form.volts}" for form in FORMS)
    at = f" at {volts} V" if volts else ""
    raise ValueError(f"Form {name}{at} is not supported; choose one of {known}.")
