"""How a command is refused: one event with the reject's numbers."""

from collections.abc import Callable

from exchange.events import CommandRejected, Event
from matching.rejects import Reject

NO_MESSAGE = bytes(32)
NO_ACCOUNT = 0xFFFF_FFFF


def refuse(
    emit: Callable[[Event], None],
    reject: Reject,
    account: int = NO_ACCOUNT,
    message_hash: bytes = NO_MESSAGE,
) -> None:
    """Emits the one event of a refused command."""
    emit(CommandRejected(account, message_hash, reject.code, reject.got, reject.allowed))
