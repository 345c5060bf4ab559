"""What every event is, and the one event of a refused command.

Holds: an event is immutable; `TYPE` is the byte that stands for it.
Never: knows what happened.
"""

from typing import ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True, gc=False):
    """Base of all events; `TYPE` is the byte that stands for it in the canonical encoding."""

    TYPE: ClassVar[int] = -1


class CommandRejected(Event, frozen=True, gc=False):
    """The command was refused and changed nothing. `message_hash` is the order hash (or the hash
    of what was signed), zero where there is none.
    """

    TYPE: ClassVar[int] = 0x01
    account: int
    message_hash: bytes
    code: int
    got: int
    allowed: int
