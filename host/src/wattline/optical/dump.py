"""Reads every table that a device says it has."""

from dataclasses import dataclass, field

from endpoint.optical.services import IAR, ISC
from wattline.optical.decode import Decoder
from wattline.optical.names import MT, TABLES, number_name, table_name
from wattline.optical.session import Refused, error_name, is_dead

_DIMENSIONS = (0, 1, 11, 12, 15, 16, 21, 22, 27, 31, 41, 51, 61, 62, 71)  # read before the rest
_WRITE_ONLY = (7,)
_MOST_SESSIONS = 3
_CURES = {
    ISC: "give a password with more rights",
    IAR: "the device lists a table that it does not serve",
}


@dataclass
class Table:
    """One table as it was read, or why it was not."""

    number: int
    data: bytes | None = None
    refused: str = ""
    fields: list = field(default_factory=list)
    remark: str = ""

    def as_dict(self):
        """Return what JSON shows."""
        found = {
            "table": number_name(self.number),
            "name": "" if self.number & MT else TABLES.get(self.number, ""),
        }
        if self.data is None:
            return {**found, "refused": self.refused}
        return {
            **found,
            "bytes": len(self.data),
            "hex": self.data.hex(),
            "remark": self.remark,
            "fields": [
                {
                    "name": part.name,
                    "value": part.value,
                    "unit": part.unit,
                    "offset": part.offset,
                    "bytes": part.size,
                }
                for part in self.fields
            ],
        }


class Dump:
    """Reads tables in one or, when the link breaks, a few sessions.

    Parameters
    ----------
    connect : callable() -> Session
        Opens a session; raises Refused.
    progress : callable(int, int, str) or None
        Called before each table with its place, how many there are, and its name.
    """

    def __init__(self, connect, progress=None):
        self._connect = connect
        self._progress = progress or (lambda at, count, name: None)
        self._session = None
        self._sessions = 0
        self.decoder = Decoder()
        self.tables = {}
        self.broken = ""  # why the dump is not complete

    def run(self, wanted=None):
        """Read the wanted tables, all if None; return `Table` objects in order of their numbers.

        Raises
        ------
        Refused
            The device takes part in no session, or does not show ST-0.
        """
        self._open()
        first = self._read(0)
        if first.data is None:
            raise Refused("The device does not show ST-0, which says what it has", ISC)
        listed = self._listed()
        asked = listed if wanted is None else wanted
        needed = [n for n in _DIMENSIONS if n in listed and n not in self.tables]
        order = [*needed, *(n for n in asked if n not in needed and n != 0)]
        for at, number in enumerate(order):
            if self.broken:
                break
            self._progress(at + 1, len(order), table_name(number))
            if number in _WRITE_ONLY:
                self.tables[number] = Table(number, refused="can only be written")
            else:
                self._read(number)
        self._close()
        shown = [self.tables[n] for n in sorted(asked) if n in self.tables]
        for table in shown:
            if table.data is not None:
                table.fields, table.remark = self.decoder.fields(table.number, table.data)
        return shown

    def _listed(self):
        config = self.decoder.config
        if config is None:
            return [0, 1]
        return [n for base in (0, MT) for n in range(base, base + MT) if config.uses(n)]

    def _open(self):
        self._sessions += 1
        self._session = self._connect()

    def _close(self):
        if self._session is not None:
            self._session.close()

    def _read(self, number):
        """Read one table; open another session if the link breaks."""
        table = Table(number)
        self.tables[number] = table
        while True:
            try:
                table.data = self._session.read(number)
                self.decoder.learn(number, table.data)
            except Refused as error:
                if is_dead(error.error) and self._sessions < _MOST_SESSIONS:
                    try:
                        self._open()
                        continue
                    except Refused as again:
                        error = again
                        self.broken = str(again)
                elif is_dead(error.error):
                    self.broken = f"The link broke {self._sessions} times"
                cure = _CURES.get(error.error)
                table.refused = error_name(error.error) + (f": {cure}" if cure else "")
            return table
