"""Manufacturer tables of the simulator. All invented; the real meter's are not public."""

from endpoint.meter.layout import PATCH_TABLE
from endpoint.optical import services
from endpoint.optical.access import DONE, INVALID
from wattline.meter.own_tables import ELECTRICAL, FACTS, GUESTS, LAYOUTS

_MOST_MULTIPLIER = 240


class Maker:
    """MT-0 electrical quantities, MT-1 patch, MT-2 guests' display values, MT-3 facts.

    Parameters
    ----------
    meter : FocusAL
    patch : bytes or None
        Mark of the meter patch; None is a meter without the patch.
    purchased : date
    """

    def __init__(self, meter, patch, purchased):
        self._meter = meter
        self.patch = patch
        self._purchased = purchased
        self._guests = bytearray(LAYOUTS[GUESTS].size(meter.encoder))

    def tables(self):
        """Return the functions that make the tables' contents."""
        made = {
            ELECTRICAL: self._electrical,
            GUESTS: lambda: bytes(self._guests),
            FACTS: self._facts,
        }
        if self.patch is not None:
            made[PATCH_TABLE] = self._patched
        return made

    def writers(self):
        """Return the functions that take what is written."""
        return {GUESTS: self._write_guests}

    def guest_values(self):
        """Return what an endpoint wants to have shown, one integer for each guest item."""
        return LAYOUTS[GUESTS].read(self._meter.encoder, self._guests, 0)["GUEST_VALUE"]

    def _written(self, table, values):
        return LAYOUTS[table].write(self._meter.encoder, values)

    def _patched(self):
        values = {"PATCH_MARK": self.patch, "DISPLAY_MULTIPLIER": self._meter.display_multiplier}
        return self._written(PATCH_TABLE, values)

    def _electrical(self):
        meter = self._meter
        return self._written(
            ELECTRICAL,
            {
                "VOLTAGE": meter.voltages_dv(meter.now_ns),
                "POWER": meter.load.power_mw(meter.now_ns) // 1000,
                "FREQUENCY": meter.frequency_chz(meter.now_ns),
            },
        )

    def _facts(self):
        meter = self._meter
        bought = self._purchased
        return self._written(
            FACTS,
            {
                "DIAGNOSTIC_WORD": meter.diagnostics.word,
                "OUTAGES": meter.outages & 0xFFFF,
                "PURCHASED": {"YEAR": bought.year, "MONTH": bought.month, "DAY": bought.day},
                "DISPLAY_MULTIPLIER": meter.display_multiplier,
                "REGISTERS": 1 if meter.net_only else 0,
            },
        )

    def _write_guests(self, offset, data):
        self._guests[offset : offset + len(data)] = data
        return services.OK

    def set_multiplier(self, parameters):
        """Carry out manufacturer procedure 0: display multiplier, 1 to 240."""
        if len(parameters) != 1 or not 1 <= parameters[0] <= _MOST_MULTIPLIER:
            return INVALID, b""
        self._meter.display_multiplier = parameters[0]
        return DONE, b""

    def preset(self, parameters):
        """Carry out manufacturer procedure 1: forward and reverse register, u32 Wh each."""
        if len(parameters) != 8:
            return INVALID, b""
        order = "big" if self._meter.encoder.most_first else "little"
        values = [int.from_bytes(parameters[at : at + 4], order) for at in (0, 4)]
        self._meter.preset(self._meter.now_ns, *values)
        return DONE, b""

    def clear_outages(self, parameters):
        """Carry out manufacturer procedure 2."""
        if parameters:
            return INVALID, b""
        self._meter.outages = 0
        return DONE, b""
