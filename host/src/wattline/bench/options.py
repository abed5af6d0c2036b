"""What a bench run may be asked for, checked before anything starts."""

from dataclasses import asdict, dataclass
from typing import Any

from endpoint.metering.forms import form as find_form
from wattline.errors import WattlineError
from wattline.image import boards
from wattline.meter.forms import FORMS
from wattline.meter.load import PROFILES as LOADS
from wattline.meter.load import Load

# The first reading takes a minute; a day is the longest that anybody has asked for.
_MINUTES = (1.0, 24 * 60.0)
_POLL_S = (10, 3600)
_EBN0_DB = (-5.0, 40.0)
_CUTS = 100


@dataclass(frozen=True)
class Options:
    """A checked run; build one with `checked`.

    `ebn0_db` is None for a line without noise.
    """

    minutes: float
    load: str
    scale: float
    ebn0_db: float | None
    seed: int
    form: str
    detent: bool
    cuts: int
    poll_s: int
    board: str
    downlink: bool = False

    @classmethod
    def checked(
        cls,
        *,
        minutes: float = 5.5,
        load: str = "house",
        scale: float | None = None,
        noise: str = "8",
        seed: int = 1,
        form: str | None = None,
        detent: bool = True,
        cuts: int = 0,
        poll_s: int = 60,
        board: str = "FASY_0624_0004",
        downlink: bool = False,
    ) -> "Options":
        """Return the options, or raise `WattlineError` naming the one that is wrong.

        Without `scale` the load's largest power of the day is the rating of the meter's class.
        """
        _between("--minutes", minutes, *_MINUTES)
        _between("--poll-s", poll_s, *_POLL_S)
        _between("--cuts", cuts, 0, _CUTS)
        _between("--seed", seed, 0, 2**31)
        _between("--scale", 1.0 if scale is None else scale, 0.01, 100.0)
        if load not in LOADS:
            raise WattlineError(f"--load {load} is unknown; choose one of {', '.join(LOADS)}")
        form = _form(form, volts(board), board)
        return cls(
            minutes=minutes,
            load=load,
            scale=scale or _scale_to_rating(load, seed, form, volts(board)),
            ebn0_db=_noise(noise),
            seed=seed,
            form=form,
            detent=detent,
            cuts=cuts,
            poll_s=poll_s,
            board=board,
            downlink=downlink,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def volts(board: str) -> int:
    """Return the nominal voltage of `board` in V; raise WattlineError for an unknown one."""
    return boards.data(board).NOMINAL_DV // 10


def _between(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise WattlineError(f"{name} {value:g} is out of range; give {least:g} to {most:g}")


def _noise(text: str) -> float | None:
    if text == "off":
        return None
    try:
        ebn0_db = float(text)
    except ValueError:
        raise WattlineError(f"--noise {text} is neither a number of dB nor off") from None
    _between("--noise", ebn0_db, *_EBN0_DB)
    return ebn0_db


def _scale_to_rating(load: str, seed: int, form: str, voltage: int) -> float:
    day = Load(load, 1.0, seed)
    largest_w = max(abs(day.power_w(t_s)) for t_s in range(0, 86_400, 60))
    return round(rating_w(form, voltage) / largest_w, 3)


def rating_w(form: str, voltage: int) -> float:
    """Return the power of a meter's class in W; the plausibility limit is 1.5 times that."""
    return find_form(form, voltage).cap_w() / 1.5


def _form(name: str | None, voltage: int, board: str) -> str:
    known = [form.name for form in FORMS if form.volts == voltage]
    if name is None:
        return known[0]
    if name not in known:
        raise WattlineError(f"{board} serves no form {name}; choose one of {', '.join(known)}")
    return name
