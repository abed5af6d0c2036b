"""When an application that was just installed has shown that it works."""

from micropython import const

# Long enough that a task which dies early has died, and the supervisor has said so.
_LEAST_MS = const(10000)
# A meter that is silent for so long is silent because of the application, or is not there.
_LIMIT_MS = const(15 * 60000)


def verdict(uptime_ms, programmed, reads, journal_failures, needs_meter):
    """Judge an application on trial.

    Parameters
    ----------
    uptime_ms : int
        Time for which every task has run.
    programmed : bool
        Whether the module has settings; without them no meter is expected to be read.
    reads : int
        Good reads of the meter since start.
    journal_failures : int
        Records that the flash did not take.
    needs_meter : bool
        False when whoever installed it said that no meter will answer.

    Returns
    -------
    str or None
        "" to confirm it, a reason to reject it, None to wait.
    """
    if journal_failures:
        return "journal not written"
    if uptime_ms < _LEAST_MS:
        return None
    if reads or not programmed or not needs_meter:
        return ""
    return "no meter read" if uptime_ms >= _LIMIT_MS else None
