"""Signed messages that are taken once: no later than their expiry, and never again.

Holds: a message's hash is remembered until it expires, so whoever resends it does nothing.
Never: looks at who signed.
"""

from typing import Final

from exchange.state import State
from matching.rejects import EXPIRY_TOO_FAR, MESSAGE_ALREADY_USED, MESSAGE_EXPIRED, Reject

MAX_LIFE_S: Final = 30 * 86_400
"""As an order's: how long the message's hash may have to be remembered."""


def check_once(state: State, expiry_s: int, message_hash: bytes) -> Reject | None:
    """Whether a message may be taken now."""
    now_s = state.time_s
    if expiry_s <= now_s:
        return Reject(MESSAGE_EXPIRED, expiry_s, now_s)
    if expiry_s > now_s + MAX_LIFE_S:
        return Reject(EXPIRY_TOO_FAR, expiry_s, now_s + MAX_LIFE_S)
    return Reject(MESSAGE_ALREADY_USED) if message_hash in state.used else None


def take_once(state: State, expiry_s: int, message_hash: bytes) -> None:
    """Remembers a message that is taken."""
    state.used[message_hash] = expiry_s
    state.expiring.add(expiry_s, message_hash)
