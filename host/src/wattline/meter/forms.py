"""The meter forms of the module's own table, and which voltages such a meter measures."""

from dataclasses import dataclass

from endpoint.metering.forms import every_form


@dataclass(frozen=True)
class Form:
    """One meter form.

    Attributes
    ----------
    name : str
    volts : int
        Service voltage in V.
    class_amps : int
    elements : int
    segments : tuple of int
        C12.19 phase code of each voltage that the meter measures: 1 A-B, 5 A-N, 7 C-N.
    """

    name: str
    volts: int
    class_amps: int
    elements: int
    segments: tuple


def _segments(form):
    if form.elements == 2:
        return (5, 7)
    return (5,) if form.voltage_v == 120 else (1,)


FORMS = tuple(
    Form(form.name, form.voltage_v, form.class_a, form.elements, _segments(form))
    for form in every_form()
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
