"""The shipped option chain as commands: what lists it, and what marks it.

Holds: instruments are numbered in the order of expiry, strike, call before put; `marks_at`
refits nothing, it moves forwards and index by the same factor.
Never: trades.
"""

from collections.abc import Container, Iterator
from functools import lru_cache

from exchange.circuit_breaker import CALM_E4, CALM_WINDOW_S, LEVELS, WINDOW_S
from exchange.commands import (
    Command,
    ListExpiry,
    ListInstrument,
    ListUnderlying,
    SetBreaker,
    UpdateMarks,
)
from margin.analytics.chain import MICRO_PER_LOT, Chain, OptionQuote, load_chain
from margin.analytics.svi_fit import fit_chain
from margin.svi import ExpiryMark

BTC = 0
BTC_NAME = b"BTC\0\0\0\0\0"
BTC_LOT_E8 = 1_000_000
"""One lot is 0.01 BTC."""
NANOSECONDS = 1_000_000_000
_HOUR_S = 3_600
_WEEK_S = 7 * 86_400


@lru_cache(maxsize=1)
def snapshot() -> Chain:
    """The chain of 15 January 2026."""
    return load_chain()


@lru_cache(maxsize=1)
def fitted_marks() -> tuple[ExpiryMark, ...]:
    """The SVI fit of each expiry, in order."""
    marks = fit_chain(snapshot())
    return tuple(marks[expiry.expiry_time_s] for expiry in snapshot().expiries)


def shift_s(time_ns: int) -> int:
    """Whole weeks, in seconds, by which the chain is listed later than it was, so that none of its
    expiries has passed: 0 within an hour of the snapshot.
    """
    late_s = time_ns // NANOSECONDS - snapshot().time_s - _HOUR_S
    return max(0, -(-late_s // _WEEK_S)) * _WEEK_S


def listing_commands(time_ns: int) -> Iterator[Command]:
    """Lists the underlying, with its circuit breaker armed, the expiries and all options of the
    snapshot, as of `time_ns`.
    """
    later_s = shift_s(time_ns)
    yield ListUnderlying(time_ns, BTC, BTC_NAME, BTC_LOT_E8)
    yield SetBreaker(time_ns, BTC, WINDOW_S, CALM_WINDOW_S, CALM_E4, LEVELS)
    for number, expiry in enumerate(snapshot().expiries):
        yield ListExpiry(time_ns, number, BTC, expiry.expiry_time_s + later_s)
    for number, (expiry, option) in enumerate(options_by_number()):
        yield ListInstrument(
            time_ns, number, option.kind, BTC, expiry, option.strike_micro, MICRO_PER_LOT
        )


def options_by_number() -> Iterator[tuple[int, OptionQuote]]:
    """(expiry number, quote) of instrument 0, 1, ..."""
    for number, expiry in enumerate(snapshot().expiries):
        for option in expiry.options:
            yield number, option


def marks_at(
    time_ns: int, move_e6: int = 0, settled: Container[int] = (), smile_e6: int = 1_000_000
) -> UpdateMarks:
    """The snapshot's marks with index and forwards moved by `move_e6` millionths, of all expiries
    but the `settled` ones; each smile's b times `smile_e6` millionths, which lifts volatility.
    """
    factor = 1_000_000 + move_e6
    return UpdateMarks(
        time_ns,
        BTC,
        snapshot().index_micro * factor // 1_000_000,
        tuple(
            (
                number,
                mark.forward_micro * factor // 1_000_000,
                mark.a,
                mark.b * smile_e6 // 1_000_000,
                *mark[3:],
            )
            for number, mark in enumerate(fitted_marks())
            if number not in settled
        ),
    )
