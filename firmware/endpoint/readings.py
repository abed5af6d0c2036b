"""Every billing value of the engine by its name, as texts and tables show them.

Context: task only. Allocates: a dictionary.
"""

from endpoint.metering.quantity import dial

RATE_NAMES = "ABCD"


def readings(engine, mono_s):
    """Return what the engine knows, by name; Wh, W, seconds UTC, 0.1 V.

    Parameters
    ----------
    engine : Engine
    mono_s : int
        Now.
    """
    return {
        "total_wh": engine.total_wh,
        "total_dial": "%05d" % dial(engine.total_wh),
        "total_sign": "-" if engine.total_wh < 0 else "+",
        "forward_wh": engine.forward.baseline_wh,
        "reverse_wh": engine.reverse.baseline_wh,
    }
