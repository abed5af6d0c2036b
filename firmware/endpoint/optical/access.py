"""Who may do what at a device: levels with passwords, rights per table, lock-out, procedures.

`GuardedTables` stands between `C1218Device` and a provider that only knows tables::

    guard = GuardedTables(provider, rules, levels)
    device = C1218Device(guard)

`rules` maps a table number (manufacturer tables: MT + n) or ``PROCEDURE | number`` to the pair
(groups that may read, groups that may write or run). A group is one bit, as in ST-42 and ST-44;
`ANYONE` needs no password, `NOBODY` is never allowed. What has no rule is not there.

`levels` lists (password, groups); a password has 1 to 20 bytes, an empty one switches its
level off. A Security request takes the groups of the level whose password it carries and
keeps what the session had if it carries none.

After `wrong_limit` wrong passwords in a row every Security request is answered BSY for
`lock_ms`, and each further wrong one starts that time again; a right one clears the count.
The count does not end with the session. To let it survive a restart, store `lock_state` when
`changes` has changed and give it back with `restore_lock`.

Context: any. Allocates: nothing but what the provider does, and a procedure's parameters.
Source: ANSI C12.18 Security; C12.19 decade 4 and ST-7, ST-8.
"""

from micropython import const

from endpoint.optical import services
from endpoint.optical.device import PROCEDURE_TABLE, Tables
from endpoint.optical.formats import OpticalError
from endpoint.optical.kernels import copy, difference
from endpoint.optical.services import PASSWORD_BYTES, USER_BYTES

PROCEDURE = const(0x1000)  # key of a rule: PROCEDURE | number, manufacturer's: PROCEDURE | MT | n
RESPONSE_TABLE = const(8)

NOBODY = const(0)
ANYONE = const(0x100)  # a group that every session is in

# Results of a procedure, as ST-8 shows them.
DONE = const(0)
UNFINISHED = const(1)  # accepted; `GuardedTables.complete` tells the end
INVALID = const(2)  # wrong parameters, ignored
CONFLICT = const(3)  # not with this setup, ignored
NOT_NOW = const(4)  # ignored
NO_RIGHT = const(5)  # ignored
UNKNOWN = const(6)  # ignored

_HEAD_BYTES = const(3)  # TABLE_IDB, SEQ_NBR
_RESULT_BYTES = const(4)  # head, RESULT_CODE
_NUMBER_MASK = const(0x0FFF)

# SELECTOR of TABLE_IDB.
_ON_EXCEPTION = const(1)
_NEVER = const(2)


class PasswordError(OpticalError):
    """A password has more than 20 bytes."""


class Provider:
    """What a guarded device serves: the interface, and a device without any table.

    The guard has checked the rights before it asks; the device role checks offsets and counts
    against `size`. A refusal is a reply code of `services`; a write that is refused has
    changed nothing, a write that is accepted has stored all of its bytes.
    """

    most_first = False  # byte order that ST-0 announces
    offset_access = True
    index_access = False
    default_table = None  # table of the default read, None: the service is refused
    varying = ()  # tables that may be written whole at any length up to their size
    from_start = True  # set before `size`: a read that begins at the table's first byte

    def logon(self, user_id, user):
        """Note who asks; `user` is a view of 10 bytes, valid during the call."""
        return services.OK

    def leave(self):
        """Note that a session has ended: logoff, terminate or a dead link."""

    def size(self, table):
        """Return the table's length in bytes, or a negative reply code."""
        return -services.IAR

    def room(self, table):
        """Return the most bytes that may be written to a table of varying length."""
        return self.size(table)

    def read(self, table, offset, count, into, into_at):
        """Put `count` bytes from `offset` of `table` into `into` at `into_at`."""
        return services.IAR

    def write(self, table, offset, count, source, source_at):
        """Store `count` bytes of `source` from `source_at` on at `offset`: all or nothing."""
        return services.IAR

    def place(self, table, indexes, count):
        """Return (offset, bytes) of `count` elements from the element `indexes` names.

        (0, negative reply code) refuses. Asked only with `index_access`.
        """
        return (0, -services.ONP)

    def procedure(self, number, parameters):
        """Run a procedure (`number` as in its rule, without PROCEDURE).

        Parameters
        ----------
        parameters : bytes

        Returns
        -------
        (int, bytes)
            Result code and response data.
        """
        return UNKNOWN, bytes()


class GuardedTables(Tables):
    """The tables of a provider behind rights and passwords.

    Parameters
    ----------
    provider : Provider
    rules : dict of int to (int, int)
        Rights by table or procedure; kept, not copied.
    levels : sequence of (bytes, int)
        Passwords and groups; PasswordError if one is too long.
    open_groups : int
        Groups of a session without password, besides ANYONE.
    wrong_limit : int
        Wrong passwords in a row until the lock; 0: never locked.
    lock_ms : int
        How long Security is refused then.
    parameter_bytes, response_bytes : int
        Most that a procedure takes and answers (ST-0 announces them).
    """

    def __init__(
        self,
        provider,
        rules,
        levels=(),
        open_groups=0,
        wrong_limit=5,
        lock_ms=60_000,
        parameter_bytes=64,
        response_bytes=64,
    ):
        self._provider = provider
        self._rules = rules
        self._open_groups = open_groups | ANYONE
        self._wrong_limit = wrong_limit
        self._lock_ms = lock_ms
        self._parameter_bytes = parameter_bytes
        self._response = bytearray(_RESULT_BYTES + response_bytes)
        self._response_count = _RESULT_BYTES
        self._locked_until_ms = 0
        self.offset_access = provider.offset_access
        self.index_access = provider.index_access
        self.default_table = provider.default_table
        self.varying = (PROCEDURE_TABLE,) + tuple(provider.varying)
        self.user_id = 0
        self.user = bytearray(USER_BYTES)
        self.wrong_passwords = 0  # in a row
        self.changes = 0  # of the lock's state, counted
        self.groups = self._open_groups
        self.set_levels(levels)

    # -- the owner's side -----------------------------------------------------------

    def set_levels(self, levels):
        """Replace all levels; a session keeps the groups it has."""
        self._levels = tuple(
            (_padded(password, b"\x00"), _padded(password, b" "), groups)
            for password, groups in levels
            if len(password.rstrip(b"\x00 ")) > 0
        )

    def allows(self, key, writing):
        """Return whether the session may read, or write or run, what `key` names."""
        rule = self._rules.get(key)
        return rule is not None and rule[1 if writing else 0] & self.groups != 0

    def locked_ms(self):
        """Return for how long Security is still refused, as of the last event."""
        return max(0, self._locked_until_ms - self.now_ms)

    def lock_state(self):
        """Return (wrong passwords, ms still locked) for `restore_lock`."""
        return self.wrong_passwords, self.locked_ms()

    def restore_lock(self, wrong_passwords, locked_ms, now_ms):
        """Take the lock's state over from before a restart."""
        self.wrong_passwords = wrong_passwords
        self.now_ms = now_ms
        self._locked_until_ms = now_ms + min(locked_ms, self._lock_ms)

    def complete(self, result, data=b""):
        """Post the end of a procedure that was answered UNFINISHED."""
        self._response[_HEAD_BYTES] = result
        self._answer(data)

    # -- the device role's side -----------------------------------------------------

    def logon(self, user_id, user):
        """Note who asks."""
        self.user_id = user_id
        copy(self.user, 0, user, 0, USER_BYTES)
        return self._provider.logon(user_id, user)

    def security(self, password):
        """Grant the groups of the level that has this password."""
        if self.now_ms < self._locked_until_ms:
            return services.BSY
        # Every level is compared whole, so the time taken tells nothing about a match.
        groups = -1
        for zeros, spaces, level_groups in self._levels:
            differs = difference(password, zeros, PASSWORD_BYTES)
            differs *= difference(password, spaces, PASSWORD_BYTES)
            if not differs:
                groups = level_groups
        if groups >= 0:
            if self.wrong_passwords:
                self.wrong_passwords = 0
                self.changes += 1
            self.groups = groups | self._open_groups
            return services.OK
        self.wrong_passwords += 1
        self.changes += 1
        if self._wrong_limit and self.wrong_passwords >= self._wrong_limit:
            self._locked_until_ms = self.now_ms + self._lock_ms
        return services.ERR

    def leave(self):
        """Take all rights back; what a procedure answered is gone with the session."""
        self.groups = self._open_groups
        self._response_count = _RESULT_BYTES
        for i in range(_RESULT_BYTES):
            self._response[i] = 0
        self._provider.leave()

    def size(self, table, writing):
        """Return a table's length, or the negative reply code that refuses it."""
        if table == PROCEDURE_TABLE:
            return _HEAD_BYTES + self._parameter_bytes if writing else -services.IAR
        if table == RESPONSE_TABLE:
            return -services.IAR if writing else self._response_count
        rule = self._rules.get(table)
        if rule is None or table >= PROCEDURE:
            return -services.IAR
        groups = rule[1 if writing else 0]
        if not groups & self.groups:
            return -services.IAR if writing and groups == NOBODY else -services.ISC
        if writing and table in self.varying:
            return self._provider.room(table)
        self._provider.from_start = self.from_start
        return self._provider.size(table)

    def read(self, table, offset, count, to, to_at):
        """Serve part of a table."""
        if table == RESPONSE_TABLE:
            copy(to, to_at, self._response, offset, count)
            return services.OK
        return self._provider.read(table, offset, count, to, to_at)

    def write(self, table, offset, count, source, source_at):
        """Store a part of a table, or run a procedure."""
        if table == PROCEDURE_TABLE:
            return self._initiate(offset, count, source, source_at)
        return self._provider.write(table, offset, count, source, source_at)

    def place(self, table, indexes, count):
        """Find elements by index."""
        if table in (PROCEDURE_TABLE, RESPONSE_TABLE):
            return (0, -services.ONP)
        return self._provider.place(table, indexes, count)

    # -- procedures -----------------------------------------------------------------

    def _initiate(self, offset, count, source, source_at):
        if offset or count < _HEAD_BYTES:
            return services.ONP
        low, high = source[source_at], source[source_at + 1]
        if self._provider.most_first:
            low, high = high, low
        selector = high >> 4
        number = (high << 8 | low) & _NUMBER_MASK
        result, data = UNKNOWN, b""
        if PROCEDURE | number in self._rules:
            result = NO_RIGHT
            if self.allows(PROCEDURE | number, True):
                start = source_at + _HEAD_BYTES
                parameters = bytes(memoryview(source)[start : source_at + count])
                result, data = self._provider.procedure(number, parameters)
        if selector == _NEVER or (selector == _ON_EXCEPTION and result in (DONE, UNFINISHED)):
            return services.OK
        copy(self._response, 0, source, source_at, _HEAD_BYTES)
        self._response[_HEAD_BYTES] = result
        self._answer(data)
        return services.OK

    def _answer(self, data):
        count = min(len(data), len(self._response) - _RESULT_BYTES)
        copy(self._response, _RESULT_BYTES, data, 0, count)
        self._response_count = _RESULT_BYTES + count


def _padded(password, pad):
    if len(password) > PASSWORD_BYTES:
        raise PasswordError
    return bytes(password) + pad * (PASSWORD_BYTES - len(password))
