"""Where each piece of energy went, in the order in which the engine placed it."""

from dataclasses import dataclass

from endpoint.metering import rows


@dataclass
class Piece:
    """Some energy and the time it was given to; UTC seconds by the module's clock."""

    start_s: int
    end_s: int
    lit_s: int
    forward_wh: int
    reverse_wh: int
    value_wh: int
    rate: int
    flags: int


class Trace:
    """All pieces, and which of them each interval and hour received.

    Attributes
    ----------
    pieces : list of Piece
    members : dict of (int, int) to list of Piece
        By ring and sequence number.
    """

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.members: dict[tuple[int, int], list[Piece]] = {}
        self._open: dict[int, list[Piece]] = {rows.INTERVAL: [], rows.HOUR: [], rows.DEMAND: []}
        self._is_sealed = True

    def piece(
        self,
        start_s: int,
        end_s: int,
        lit_s: int,
        forward_wh: int,
        reverse_wh: int,
        value_wh: int,
        rate: int,
        flags: int,
    ) -> None:
        """Take one piece; the signature is that of `engine.trace`."""
        piece = Piece(start_s, end_s, lit_s, forward_wh, reverse_wh, value_wh, rate, flags)
        if not self._is_sealed and self._continues(piece):
            return
        self._is_sealed = False
        self.pieces.append(piece)
        for members in self._open.values():
            members.append(piece)

    def _continues(self, piece: Piece) -> bool:
        """Join a piece to the last one where nothing distinguishes them."""
        last = self.pieces[-1]
        alike = (
            last.end_s == piece.start_s and last.rate == piece.rate and last.flags == piece.flags
        )
        if not alike or not all(
            members and members[-1] is last for members in self._open.values()
        ):
            return False
        last.end_s = piece.end_s
        last.lit_s += piece.lit_s
        last.forward_wh += piece.forward_wh
        last.reverse_wh += piece.reverse_wh
        last.value_wh += piece.value_wh
        return True

    def row(self, ring: int, sequence: int) -> None:
        """Take that a row was closed: it has everything since the one before."""
        if ring in self._open:
            self.members[ring, sequence] = self._open[ring]
            self._open[ring] = []

    def seal(self) -> tuple:
        """Return what `unwind` needs to come back to this moment."""
        self._is_sealed = True
        return len(self.pieces), {ring: (list_, len(list_)) for ring, list_ in self._open.items()}

    def unwind(self, mark: tuple) -> None:
        """Forget what was placed since: a restart from an older record places it again."""
        count, open_ = mark
        del self.pieces[count:]
        self._open = {ring: list_[:length] for ring, (list_, length) in open_.items()}
        self._is_sealed = True
