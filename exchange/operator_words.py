"""What an operator may say to a running exchange, in the words of people, and the commands that it
comes to.

Holds: a word names instruments by symbol, underlyings by name, percentages and quantities as exact
decimals; what cannot be read as one is a `WrongWord` that says which and what could stand there;
bounds are the engine's to judge.
Never: submits anything.
"""

import re
from typing import Final

import msgspec

from exchange.commands import (
    Command,
    DelistInstrument,
    ListAsset,
    SetBreaker,
    SetFunding,
    SetLiquidation,
    SetOracle,
    SetRiskProfile,
    SetTradingState,
)
from exchange.events import STATE_REASONS
from exchange.handlers.collateral import LEAST_DECIMALS, NO_UNDERLYING
from exchange.state import State
from exchange.symbols import parse_cash, parse_quantity
from margin.accounts import PORTFOLIO_MODEL, STANDARD_MODEL
from margin.collateral import OF_UNDERLYING, STABLE
from matching.instruments import Instrument, Underlying
from matching.trading_states import INSTRUMENT, LAST_ORDERED, STATE_NAMES, UNDERLYING, VENUE

MODELS: Final = {"portfolio": PORTFOLIO_MODEL, "standard": STANDARD_MODEL}
STATES: Final = {name: number for number, name in enumerate(STATE_NAMES[: LAST_ORDERED + 1])}
REASONS: Final = {name: number for number, name in enumerate(STATE_REASONS)}
WHOLE_VENUE: Final = "venue"
_MOST: Final = (1 << 31) - 1
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")


class WrongWord(ValueError):
    """It cannot be read; the text says what was said and what could be."""


class Word(msgspec.Struct, forbid_unknown_fields=True, tag_field="word"):
    """Base of all words."""


class Liquidation(Word, tag="liquidation"):
    armed: bool


class RiskProfile(Word, tag="risk-profile"):
    account: int
    model: str
    least_tier: int


class TradingState(Word, tag="state"):
    """`of` is "venue", an underlying or a symbol."""

    of: str
    state: str
    reason: str


class Breaker(Word, tag="breaker"):
    """`levels` like 10:post-only:60 (percent, state, least seconds); none disarm."""

    underlying: str
    window_s: int
    calm_window_s: int
    calm: str
    levels: list[str]


class Oracle(Word, tag="oracle"):
    """`reporters` like 0x...:8 (address, decimals); none disarm. Bands and moves in percent."""

    underlying: str
    reporters: list[str]
    quorum: int
    max_age_s: int
    deviation: str
    forward_band: str
    forward_move: str
    variance_move: str


class Funding(Word, tag="funding"):
    """Cap and band in percent of the index a period; `impact` in units of the underlying. Without
    a period it stops.
    """

    symbol: str
    cap: str
    band: str
    period_s: int
    impact: str
    sample_s: int


class Collateral(Word, tag="collateral"):
    """An asset by its number in the Vault, or, with a `token` (hex), the next one there. Haircuts
    and discount in percent, the cap in units; a stable has no underlying.
    """

    asset: int
    name: str
    underlying: str
    initial_haircut: str
    maintenance_haircut: str
    cap: str
    discount: str
    token: str


class Delist(Word, tag="delist"):
    """`end_time_s` 0: at once."""

    symbol: str
    end_time_s: int


AnyWord = (
    Liquidation | RiskProfile | TradingState | Breaker | Oracle | Funding | Collateral | Delist
)


def command_of(state: State, word: AnyWord, time_ns: int, decimals: int = 0) -> Command:
    """The command that a word comes to. `decimals` are the token's, of a word on collateral. Raises
    WrongWord.
    """
    match word:
        case Liquidation():
            return SetLiquidation(time_ns, int(word.armed))
        case RiskProfile():
            model = _choice("model", word.model, MODELS)
            account = _whole("account", word.account)
            return SetRiskProfile(time_ns, account, model, _whole("least tier", word.least_tier))
        case TradingState():
            scope, number = _scope(state, word.of)
            ordered = _choice("state", word.state, STATES)
            reason = _choice("reason", word.reason, REASONS)
            return SetTradingState(time_ns, scope, number, ordered, reason)
        case Breaker():
            return _breaker(state, word, time_ns)
        case Oracle():
            return _oracle(state, word, time_ns)
        case Funding():
            return _funding(state, word, time_ns)
        case Collateral():
            return _collateral(state, word, time_ns, decimals)
        case Delist():
            number = _instrument(state, word.symbol).number
            return DelistInstrument(time_ns, number, _whole("end", word.end_time_s))


def _breaker(state: State, word: Breaker, time_ns: int) -> SetBreaker:
    levels: list[tuple[int, int, int]] = []
    for level in word.levels:
        parts = level.split(":")
        if len(parts) != 3 or not parts[2].isdecimal():
            raise WrongWord(f"level {level!r} is not like 10:post-only:60: percent, state, seconds")
        threshold = _percent("level", parts[0], 10_000)
        seconds = _whole("seconds", int(parts[2]))
        levels.append((threshold, _choice("state", parts[1], STATES), seconds))
    return SetBreaker(
        time_ns,
        _underlying(state, word.underlying).number,
        _whole("window", word.window_s),
        _whole("calm window", word.calm_window_s),
        _percent("calm", word.calm, 10_000),
        tuple(levels),
    )


def _oracle(state: State, word: Oracle, time_ns: int) -> SetOracle:
    reporters: list[tuple[bytes, int]] = []
    for reporter in word.reporters:
        address, _, decimals = reporter.partition(":")
        if not (decimals or "8").isdecimal():
            raise WrongWord(f"reporter {reporter!r} is not like 0x...:8: address, decimals")
        reporters.append((_address("reporter", address), _whole("decimals", int(decimals or 8))))
    return SetOracle(
        time_ns,
        _underlying(state, word.underlying).number,
        _whole("quorum", word.quorum or len(reporters) // 2 + 1) if reporters else 0,
        _whole("age", word.max_age_s),
        _percent("deviation", word.deviation, 10_000),
        _percent("forward band", word.forward_band, 10_000),
        _percent("forward move", word.forward_move, 10_000),
        _percent("variance move", word.variance_move, 10_000),
        tuple(reporters),
    )


def _funding(state: State, word: Funding, time_ns: int) -> SetFunding:
    perpetual = _instrument(state, word.symbol)
    if not word.period_s:
        return SetFunding(time_ns, perpetual.number, 0, 0, 0, 0, 0)
    impact_lots = parse_quantity(word.impact, perpetual.underlying.lot_e8)
    if impact_lots is None:
        raise WrongWord(f"impact {word.impact!r} is no whole number of lots of {word.symbol}")
    return SetFunding(
        time_ns,
        perpetual.number,
        _percent("cap", word.cap, 1_000_000),
        _percent("band", word.band, 1_000_000),
        _whole("period", word.period_s),
        _whole("impact", impact_lots),
        _whole("sample", word.sample_s),
    )


def _collateral(state: State, word: Collateral, time_ns: int, decimals: int) -> ListAsset:
    if not (word.name.isascii() and 0 < len(word.name) <= 8):
        raise WrongWord(f"{word.name[:20]!r} is no name: capitals and digits, at most 8")
    underlying = NO_UNDERLYING
    if word.underlying:
        underlying = _underlying(state, word.underlying).number
    cap_micro = parse_cash(word.cap)
    if cap_micro is None or cap_micro < 0:
        raise WrongWord(f"cap {word.cap!r} is no decimal of at most 6 places")
    return ListAsset(
        time_ns,
        _whole("asset", word.asset),
        word.name.encode("ascii").ljust(8, b"\0"),
        decimals,
        OF_UNDERLYING if word.underlying else STABLE,
        underlying,
        _percent("initial haircut", word.initial_haircut, 10_000),
        _percent("maintenance haircut", word.maintenance_haircut, 10_000),
        cap_micro,
        _percent("discount", word.discount, 10_000),
    )


def token_of(word: Collateral) -> bytes:
    """The token that a word names; empty where it names none. Raises WrongWord."""
    return _address("token", word.token) if word.token else b""


def decimals_of(unit: int) -> int:
    """A token's decimals by how many of its smallest units make a micro-unit."""
    return LEAST_DECIMALS + len(str(unit)) - 1


# READING


def _underlying(state: State, name: str) -> Underlying:
    for underlying in state.underlyings:
        if underlying.name == name:
            return underlying
    listed = ", ".join(underlying.name for underlying in state.underlyings) or "none yet"
    raise WrongWord(f"no underlying {name!r} is listed; there are {listed}")


def _instrument(state: State, symbol: str) -> Instrument:
    number = state.symbols.get(symbol)
    if number is None:
        raise WrongWord(f"no instrument {symbol!r} is listed")
    return state.instruments[number]


def _scope(state: State, of: str) -> tuple[int, int]:
    if of == WHOLE_VENUE:
        return VENUE, 0
    if "-" in of:
        return INSTRUMENT, _instrument(state, of).number
    return UNDERLYING, _underlying(state, of).number


def _choice(what: str, said: str, choices: dict[str, int]) -> int:
    if said not in choices:
        raise WrongWord(f"no {what} {said!r}; there are {', '.join(choices)}")
    return choices[said]


def _whole(what: str, said: int) -> int:
    """What any field of a command holds; the engine's bounds are narrower."""
    if not 0 <= said <= _MOST:
        raise WrongWord(f"{what} {said} is out of range")
    return said


def _percent(what: str, said: str, whole: int) -> int:
    """Percent as parts of `whole`."""
    micro_percent = parse_cash(said)
    if micro_percent is not None and micro_percent >= 0:
        parts, rest = divmod(micro_percent * whole, 100 * 10**6)
        if not rest:
            return _whole(what, parts)
    places = len(str(whole)) - 3
    raise WrongWord(f"{what} {said!r} is no percentage with at most {places} decimals")


def _address(what: str, said: str) -> bytes:
    if _ADDRESS.fullmatch(said) is None:
        raise WrongWord(f"{what} {said!r} is no address: 0x and 40 hexadecimal digits")
    return bytes.fromhex(said[2:])
