"""Which meters there are: form and voltage give class, believable power and part number.

Context: any. Source: PUBS-0624-0001 Rev G, table of meter forms.
"""

from micropython import const

from endpoint.metering import UnsupportedForm, VoltageNeeded
from endpoint.metering.register import MODULUS_WH

_S_PER_H = const(3600)

_PART_120 = "FASY-0624-0003"
_PART_240 = "FASY-0624-0004"

# Form, volts, class in amperes, elements, part number, transformer-rated.
_FORMS = (
    ("1S", 120, 100, 1, _PART_120, False),
    ("3S", 120, 20, 1, _PART_120, True),
    ("12S", 120, 200, 2, _PART_120, False),
    ("25S", 120, 200, 2, _PART_120, False),
    ("2S", 240, 200, 1, _PART_240, False),
    ("2SE", 240, 320, 1, _PART_240, False),
    ("2K", 240, 480, 1, _PART_240, False),
    ("3S", 240, 20, 1, _PART_240, True),
    ("4S", 240, 20, 1, _PART_240, True),
)


class Form:
    """One line of the table.

    Attributes
    ----------
    name : str
    voltage_v, class_a, elements : int
    part_number : str
    transformer_rated : bool
        Current and voltage ratios belong in the meter, never in the endpoint.
    """

    def __init__(self, name, voltage_v, class_a, elements, part_number, transformer_rated):
        self.name = name
        self.voltage_v = voltage_v
        self.class_a = class_a
        self.elements = elements
        self.part_number = part_number
        self.transformer_rated = transformer_rated

    def cap_w(self, multiplier=1):
        """Return the largest believable average power in W: 1.5 times the class rating.

        Parameters
        ----------
        multiplier : int
            The transformer ratio programmed in the meter; it sizes the cap and nothing else.
        """
        return self.class_a * self.voltage_v * self.elements * 3 // 2 * multiplier


def form(name, voltage_v=None):
    """Return the `Form` of a meter.

    Parameters
    ----------
    name : str
        As printed on the meter: "2S".
    voltage_v : int, optional
        120 or 240; may be left out where the form exists once.

    Raises
    ------
    UnsupportedForm
        No such form, or not at this voltage.
    VoltageNeeded
        The form exists at two voltages.
    """
    found = None
    for line in _FORMS:
        if line[0] == name and voltage_v in (None, line[1]):
            if found:
                raise VoltageNeeded
            found = line
    if not found:
        raise UnsupportedForm
    return Form(*found)


def every_form():
    """Return all forms. Allocates: a list of objects."""
    return [Form(*line) for line in _FORMS]


def names(part_number):
    """Return the names of the forms that a module serves."""
    return [line[0] for line in _FORMS if line[4] == part_number]


def turn_gap_s(cap_w):
    """Return the seconds after which a whole turn of the dials is believable."""
    return MODULUS_WH * _S_PER_H // cap_w
