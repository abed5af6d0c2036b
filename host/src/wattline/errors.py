"""Failures a user can do something about: one sentence that names the cause and the cure."""


class WattlineError(Exception):
    """Base of all expected failures; its text is shown without a traceback."""

    exit_code = 2


class RunError(WattlineError):
    """The command was right but the run did not succeed."""

    exit_code = 1
