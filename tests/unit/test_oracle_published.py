"""Price reports at the door and before the auditor: who signed is found out three times."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from exchange import commands as c
from exchange.audit import audit
from exchange.codec import encode_command
from exchange.commands import Command
from exchange.gateway_rpc import RpcGateway
from exchange.gateway_rpc.failures import Failure
from exchange.gateway_rpc.oracle_views import (
    SignedPriceReport,
    oracle_events,
    oracle_json,
    report_json,
)
from exchange.gateway_rpc.requests import decoder, read_params
from exchange.service import Exchange
from exchange.venue import Verdict
from exchange.wallet import SigningDomain, Wallet
from matching.rejects import (
    LISTING_OUT_OF_ORDER,
    NOT_A_REPORTER,
    ORACLE_NOT_ARMED,
    REPORT_ALREADY_TAKEN,
    SIGNATURE_HIGH_S,
    SIGNATURE_LENGTH,
)
from settlement.price_reports import PriceReport
from settlement.signature import Signer
from tests.floor import (
    BTC_INDEX,
    CHAIN_ID,
    FEES,
    LISTINGS,
    MARCH,
    NS,
    OPERATOR,
    SETTLEMENT,
    SMILE,
    START_S,
)
from tests.published import DOMAIN, Published, rewritten
from tests.unit.small_venue import SmallVenue

ANNA, BERT, STRANGER = (Wallet(bytes((number,)) * 32) for number in (0xA1, 0xB2, 0x66))
TERMS = (2, 30, 100, 2_000, 100, 5_000, ((ANNA.address, 8), (BERT.address, 8)))
INDEX = BTC_INDEX * 10**4


def report_at(time_ns: int, sequence: int, index: int = INDEX) -> PriceReport:
    mark = (0, index * 101 // 100, *SMILE)
    return PriceReport(0, time_ns // 1_000_000, 8, index, sequence, (mark,))


def signed_by(wallet: Wallet, time_ns: int, sequence: int) -> c.ReportPrices:
    report = report_at(time_ns, sequence)
    signed = wallet.sign_report(report, DOMAIN)
    return c.ReportPrices(time_ns, *report, signed.message_hash, wallet.address, signed.signature)


# THE AUDITOR


class PublishedOracle(Published):
    """The same life, and then an oracle with two reporters, and a batch of what it marked."""

    def _live(self) -> None:
        super()._live()
        self.do(c.SetOracle(self.time_ns, 0, *TERMS))
        self.do(signed_by(ANNA, self.time_ns, 1))
        self.do(signed_by(BERT, self.time_ns, 1))
        self.cut()


HONEST = PublishedOracle()


def told(change: dict[str, object], nth: int = 0) -> tuple[str, str]:
    """The audit of the journal with a report that was changed with care."""
    commands: list[Command] = HONEST.commands()
    at = [n for n, one in enumerate(commands) if isinstance(one, c.ReportPrices)][nth]
    commands[at] = msgspec.structs.replace(commands[at], **change)
    report = audit(HONEST.on_chain(), rewritten([encode_command(one) for one in commands]))
    return report.verdict, report.reason


def test_an_honest_oracle_passes_and_its_signatures_were_counted() -> None:
    report = audit(HONEST.on_chain(), HONEST.entries())
    plain = audit(Published().on_chain(), Published().entries())
    assert (report.verdict, report.reason) == ("pass", "")
    assert report.signatures == plain.signatures + 2
    assert report.batches == plain.batches + 1


def test_a_report_whose_price_was_altered_is_caught_by_its_hash() -> None:
    verdict, reason = told({"index_price": INDEX + 1})
    assert verdict == "fail"
    assert "another hash" in reason


def test_a_report_that_another_signed_is_caught() -> None:
    verdict, reason = told({"signer": BERT.address})
    assert verdict == "fail"
    assert "another key" in reason


def test_a_signature_that_is_none_is_caught() -> None:
    assert told({"signature": bytes(65)})[0] == "fail"


def test_a_report_of_the_right_key_over_other_prices_is_caught_by_the_posted_batch() -> None:
    """The reporter colludes with the operator after the fact."""
    commands: list[Command] = HONEST.commands()
    at = max(n for n, one in enumerate(commands) if isinstance(one, c.ReportPrices))
    first = min(n for n, one in enumerate(commands) if isinstance(one, c.ReportPrices))
    for place, wallet in ((first, ANNA), (at, BERT)):
        time_ns = commands[place].time_ns
        other = report_at(time_ns, 1, INDEX + 10**8)
        signed = wallet.sign_report(other, DOMAIN)
        commands[place] = c.ReportPrices(
            time_ns, *other, signed.message_hash, wallet.address, signed.signature
        )
    report = audit(HONEST.on_chain(), rewritten([encode_command(one) for one in commands]))
    assert (report.verdict, report.batch) == ("fail", 4)


# THE DOOR


async def opened(directory: Path, clock: Sequence[int]) -> Exchange:
    exchange = Exchange.open(directory, Signer(b"\x09" * 32), clock=lambda: clock[0], fsync=False)
    exchange.start()
    setup: list[Command] = [
        c.Genesis(0, CHAIN_ID, SETTLEMENT, OPERATOR, *FEES, 18),
        c.ListUnderlying(0, 0, b"BTC".ljust(8, b"\0"), 1_000_000),
        c.ListExpiry(0, 0, 0, MARCH),
        *(c.ListInstrument(0, number, *one) for number, one in enumerate(LISTINGS[:6])),
        c.SetOracle(0, 0, *TERMS),
    ]
    for command in setup:
        await exchange.submit(lambda t, _, one=command: msgspec.structs.replace(one, time_ns=t))
    return exchange


def code_of(verdict: Verdict) -> int:
    return 0 if verdict.reject is None else verdict.reject.code


async def test_the_door_takes_what_a_reporter_signed_and_tells_a_stranger_who_he_is(
    tmp_path: Path,
) -> None:
    clock = [START_S * NS]
    exchange = await opened(tmp_path / "journal", clock)
    domain = SigningDomain(CHAIN_ID, SETTLEMENT)
    report = report_at(clock[0], 1)
    before = exchange.state.sequence
    stranger = await exchange.report_prices(report, STRANGER.sign_report(report, domain).signature)
    assert code_of(stranger) == NOT_A_REPORTER
    assert stranger.signature_fault is not None
    assert stranger.signature_fault.recovered_signer == STRANGER.address
    signature = ANNA.sign_report(report, domain).signature
    assert code_of(await exchange.report_prices(report, signature[:-1])) == SIGNATURE_LENGTH
    high_s = signature[:32] + b"\xff" * 32 + signature[64:]
    assert code_of(await exchange.report_prices(report, high_s)) == SIGNATURE_HIGH_S
    other_chain = ANNA.sign_report(report, SigningDomain(1, SETTLEMENT)).signature
    assert code_of(await exchange.report_prices(report, other_chain)) == NOT_A_REPORTER
    elsewhere = report._replace(underlying=1)
    assert code_of(await exchange.report_prices(elsewhere, signature)) == ORACLE_NOT_ARMED
    twice = report._replace(expiries=tuple(report.expiries) * 2)
    assert code_of(await exchange.report_prices(twice, signature)) == LISTING_OUT_OF_ORDER
    assert exchange.state.sequence == before, "nothing of it came to the journal"

    taken = await exchange.report_prices(report, signature)
    assert code_of(taken) == 0
    assert taken.acknowledgement is not None
    assert code_of(await exchange.report_prices(report, signature)) == REPORT_ALREADY_TAKEN
    second = report_at(clock[0], 7)
    made = await exchange.report_prices(second, BERT.sign_report(second, domain).signature)
    shown = oracle_events(made.events)
    assert [one["event"] for one in shown] == ["pricesReported", "marksUpdated"]
    (status,) = [oracle_json(one) for one in exchange.oracles()]
    assert (status["counting"], status["quorum"], status["isLost"]) == (2, 2, False)
    assert [one["sequence"] for one in status["reporters"]] == ["1", "7"]
    clock[0] += 31 * NS
    await exchange.submit(lambda t, _: c.AdvanceTime(t))
    (status,) = [oracle_json(one) for one in exchange.oracles()]
    assert [one["standing"] for one in status["reporters"]] == ["stale", "stale"]
    assert status["isLost"]
    assert exchange.market().states.of_underlying(0) == 3
    await exchange.stop()


def test_a_report_travels_as_json_to_the_last_digit() -> None:
    most = (65_535, 2**128 - 1, -1, 2, -(2**31), 0, 2**31 - 1)
    report = PriceReport(255, 2**64 - 1, 255, 2**128 - 1, 2**64 - 1, (most,))
    params = msgspec.json.encode({"message": report_json(report), "signature": "0x" + "00" * 65})
    read = read_params(decoder(SignedPriceReport), msgspec.Raw(params))
    assert not isinstance(read, Failure)
    assert read.message.value() == report


@pytest.mark.parametrize("number", [str(2**128), "-1", "1e9", "NaN", 1.5, None])
def test_an_index_that_is_no_number_of_the_wire_is_refused_at_the_door(number: object) -> None:
    message = report_json(report_at(START_S * NS, 1)) | {"index": number}
    params = msgspec.json.encode({"message": message, "signature": "0x"})
    assert isinstance(read_params(decoder(SignedPriceReport), msgspec.Raw(params)), Failure)


async def test_the_rpc_door_passes_a_report_on() -> None:
    venue = SmallVenue([ANNA])
    gateway = RpcGateway(venue)
    report = report_at(START_S * NS, 1)
    params = {"message": report_json(report), "signature": "0x" + "00" * 65}
    method = gateway._methods.table["oracle/report"]
    read = read_params(method.params, msgspec.Raw(msgspec.json.encode(params)))
    answer = await method.run(read, None)
    assert isinstance(answer, Failure)
    assert venue.reports == [report]
    await asyncio.sleep(0)
