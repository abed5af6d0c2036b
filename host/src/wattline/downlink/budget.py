"""Whether an endpoint's frames can carry what is asked of it, with the numbers said."""

from endpoint.line import BudgetError
from endpoint.line.profile import PROFILES
from endpoint.line.schedule import Schedule
from wattline.errors import WattlineError


def check_stream(profile: str, mode: int, extra: int = 0, duty_permille: int = 1000) -> None:
    """Raise WattlineError when hourly streaming, and more beside it, does not fit a profile.

    Parameters
    ----------
    profile : str
        Name of an uplink profile.
    mode : int
        What SET_STREAM would set; 0 is no streaming.
    extra : int
        Frames per day asked for beside the stream.
    duty_permille : int
        Frames that the endpoint may send, of 1000.
    """
    if profile not in PROFILES:
        raise WattlineError(
            f"profile {profile} does not exist: take one of {', '.join(sorted(PROFILES))}"
        )
    schedule = Schedule(PROFILES[profile], duty_permille)
    needed, available = schedule.needs_x1000(mode, extra)
    try:
        schedule.set_mode(mode)
        fits = needed <= available
    except BudgetError:
        fits = False
    if not fits:
        raise WattlineError(
            f"{profile} sends {available / 1000:.1f} frames a day and this needs "
            f"{needed / 1000:.0f}: ask for less, or use a faster profile"
        )
