"""The auditor recovers the signature of every transfer, taken or refused."""

from typing import Any

import msgspec
import pytest

from exchange import commands as c
from exchange.audit import AuditReport, audit
from exchange.codec import encode_command
from settlement.account_messages import TransferCash, TransferPosition
from tests.published import DOMAIN, WALLETS, Published, rewritten

HONEST = Published()
CHAIN = HONEST.on_chain()


def told(command: Any) -> AuditReport:
    """The audit of a journal that ends with one more command."""
    commands = [*HONEST.commands(), command]
    return audit(CHAIN, rewritten([encode_command(one) for one in commands]))


def transfers() -> list[Any]:
    """As the door would write them, signed by the owner of account 0."""
    last_ns = HONEST.commands()[-1].time_ns
    expiry_s = last_ns // 10**9 + 60
    cash = TransferCash(0, 1, 0, 5, 7, expiry_s)
    lots = TransferPosition(0, 1, 2, 1, 5, 7, expiry_s)
    made: list[Any] = []
    for message, kind in ((cash, c.TransferCash), (lots, c.TransferPosition)):
        signed = WALLETS[0].sign(message, DOMAIN)
        words = (signed.message_hash, WALLETS[0].address, signed.signature)
        made.append(kind(last_ns, *message, *words))  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize("at", [0, 1])
def test_a_transfer_as_it_was_signed_passes(at: int) -> None:
    report = told(transfers()[at])
    assert (report.verdict, report.reason) == ("pass", "")


@pytest.mark.parametrize(
    ("at", "fields"),
    [
        (0, {"account": 1}),
        (0, {"to_account": 2}),
        (0, {"asset": 1}),
        (0, {"amount_micro": 6}),
        (0, {"salt": 8}),
        (0, {"expiry_s": 9}),
        (0, {"message_hash": bytes(32)}),
        (0, {"signer": WALLETS[1].address}),
        (1, {"to_account": 2}),
        (1, {"instrument": 3}),
        (1, {"side": 0}),
        (1, {"quantity_lots": 6}),
        (1, {"expiry_s": 9}),
    ],
)
def test_a_transfer_that_was_altered_is_caught(at: int, fields: dict[str, Any]) -> None:
    altered = msgspec.structs.replace(transfers()[at], **fields)
    assert told(altered).verdict == "fail"
