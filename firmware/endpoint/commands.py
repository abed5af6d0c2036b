"""Every command that may change the module, from the programming port and from the line alike.

The caller has made sure that whoever sends it may (`endpoint.optical.access` on the port,
`endpoint.line.authority` on the line). Here a command is checked, carried out whole or not at
all, and answered with one result of `endpoint.line.command`.

Context: task only. Allocates: what a command needs.
"""

from endpoint.line import CommandError, command
from endpoint.line.command import (
    ALREADY_DONE,
    BAD_ARGUMENT,
    CRITICAL_PEAK,
    DEMAND_RESET,
    DISPLAY_ITEMS,
    DOES_NOT_FIT,
    DONE,
    FREEZE,
    IDENTIFY,
    LOCKED_OUT,
    NEEDS_DETENT,
    NOT_SUPPORTED,
    PENDING,
    SCHEDULE,
    SCHEDULE_ACTIVATE,
    SCHEDULE_CANCEL,
    SET_CHANNEL,
    SET_DETENT,
    SET_NET,
    SET_STREAM,
    SET_TIME,
    SET_ZONE,
)
from endpoint.line.profile import NUMBERS
from endpoint.metering import (
    MeteringError,
    NetNeedsDetent,
    NetNeedsFirmware,
    NotStarted,
    OneRegisterOnly,
    gates,
    replies,
    tou,
)

# What the programming port offers, besides what it has of its own.
ON_THE_PORT = (
    SET_TIME,
    SET_ZONE,
    SET_STREAM,
    SET_CHANNEL,
    SCHEDULE_ACTIVATE,
    SCHEDULE_CANCEL,
    CRITICAL_PEAK,
    DEMAND_RESET,
    FREEZE,
    SET_DETENT,
    SET_NET,
    DISPLAY_ITEMS,
    IDENTIFY,
)

_QUARTER_MIN = 15
_QUARTERS_AT_UTC = 64

_RESULTS = {
    replies.DONE: DONE,
    replies.ALREADY_DONE: ALREADY_DONE,
    replies.TOO_SOON: LOCKED_OUT,
    replies.NOTHING_TO_DO: ALREADY_DONE,
}


def _always(_):
    return True


class Commands:
    """Carries commands out.

    Parameters
    ----------
    engine : Engine
    module
        The application: `settings`, `change(fields)` which checks, stores and puts into force
        or raises SettingsError; `keep_schedules()`; `stage(data)` and `staged()` for a schedule
        that waits for its activation; `identify()`.
    version : int
        Firmware version, for its gates.
    fits : callable
        ``fits(mode)`` tells whether the line can carry what streaming needs.

    Attributes
    ----------
    carried_out, refused : int
        Since start.
    """

    def __init__(self, engine, module, version, fits=_always):
        self._engine = engine
        self._module = module
        self._version = version
        self._fits = fits
        self.carried_out = 0
        self.refused = 0
        self._run = {
            SET_TIME: self._set_time,
            SET_ZONE: self._set_zone,
            SET_STREAM: self._set_stream,
            SET_CHANNEL: self._set_channel,
            SCHEDULE: self._stage_schedule,
            SCHEDULE_ACTIVATE: self._activate_schedule,
            SCHEDULE_CANCEL: self._cancel_schedule,
            CRITICAL_PEAK: self._critical_peak,
            DEMAND_RESET: self._reset_demand,
            FREEZE: self._freeze,
            SET_DETENT: self._set_detent,
            SET_NET: self._set_net,
            DISPLAY_ITEMS: self._display_items,
            IDENTIFY: self._identify,
        }

    def run(self, text, mono_s):
        """Carry one command out.

        Parameters
        ----------
        text : bytes
            Code and arguments, see `endpoint.line.command`.
        mono_s : int
            Now; for SET_TIME the second at which the time was what it says.

        Returns
        -------
        int
            DONE, ALREADY_DONE, PENDING, or why nothing was changed.
        """
        try:
            code, fields = command.unpack(text)
        except CommandError:
            result = BAD_ARGUMENT
        else:
            run = self._run.get(code)
            result = NOT_SUPPORTED if run is None else self._checked(run, fields, mono_s)
        if result in (DONE, ALREADY_DONE, PENDING):
            self.carried_out += 1
        else:
            self.refused += 1
        return result

    def _checked(self, run, fields, mono_s):
        try:
            return run(fields, mono_s)
        except (NetNeedsDetent, OneRegisterOnly):
            return NEEDS_DETENT
        except (NetNeedsFirmware, NotStarted):
            return NOT_SUPPORTED
        except MeteringError:
            return BAD_ARGUMENT

    def _set_time(self, fields, mono_s):
        self._engine.on_time(fields["unix_s"], mono_s)
        return DONE

    def _set_zone(self, fields, mono_s):
        offset_min = (fields["quarter_hours"] - _QUARTERS_AT_UTC) * _QUARTER_MIN
        daylight = bool(fields["daylight"])
        # The engine refuses first: what it refuses is not stored.
        self._engine.configure_site(offset_min, daylight)
        return self._module.change({"offset_min": offset_min, "daylight": daylight})

    def _set_stream(self, fields, mono_s):
        if not gates.can_stream(self._version):
            return NOT_SUPPORTED
        if not self._fits(fields["mode"]):
            return DOES_NOT_FIT
        # That collector and head-end can stream was settled before anything was sent (G-2).
        return self._result(
            self._engine.activate_streaming(fields["mode"], fields["extreme"], True, True)
        )

    def _set_channel(self, fields, mono_s):
        # Another profile is another way of sending: that takes a setting and a restart.
        number = fields["profile"]
        if NUMBERS[number : number + 1] != (self._module.settings.get("profile"),):
            return NOT_SUPPORTED
        return self._module.change({"channel": fields["channel"]})

    def _stage_schedule(self, data, mono_s):
        tou.check(data)
        self._module.stage(data)
        return DONE

    def _activate_schedule(self, fields, mono_s):
        data = self._module.staged()
        if not data:
            return BAD_ARGUMENT
        result = self._engine.install_schedule(data, fields["at_unix_s"], mono_s)
        return self._kept(result)

    def _cancel_schedule(self, fields, mono_s):
        return self._kept(self._engine.cancel_schedule(mono_s))

    def _critical_peak(self, fields, mono_s):
        start_s = fields["start_unix_s"]
        end_s = start_s + 60 * fields["minutes"]
        return self._kept(self._engine.add_peak(start_s, end_s, fields["rate"], mono_s))

    def _reset_demand(self, fields, mono_s):
        return self._result(self._engine.reset_demand(fields["reset"], mono_s))

    def _freeze(self, fields, mono_s):
        return self._result(self._engine.freeze(mono_s))

    def _set_detent(self, fields, mono_s):
        return self._configure(bool(fields["detent"]), self._module.settings["net"])

    def _set_net(self, fields, mono_s):
        return self._configure(self._module.settings["detent"], bool(fields["net"]))

    def _configure(self, detent, net):
        # The engine refuses first: what it refuses is not stored.
        self._engine.configure(detent, net)
        self._module.change({"detent": detent, "net": net})
        return PENDING

    def _display_items(self, items, mono_s):
        if not gates.can_add_items(self._version):
            return NOT_SUPPORTED
        return self._module.change({"display": list(items)})

    def _identify(self, fields, mono_s):
        self._module.identify()
        return DONE

    def _kept(self, reply):
        """Store the schedules before the reply is sent."""
        if reply == replies.DONE:
            self._module.keep_schedules()
        return self._result(reply)

    def _result(self, reply):
        return _RESULTS.get(reply, BAD_ARGUMENT)
