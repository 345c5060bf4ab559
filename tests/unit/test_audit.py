"""Lies told to the auditor, each in an otherwise perfect publication: hash chain, CutBatch and,
where it is the chain that lies, roots and header are made anew to fit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exchange import commands as c
from exchange.audit import AuditReport, OnChain, audit
from exchange.codec import encode_command
from exchange.commands import Command
from exchange.demo.forgery import forge
from exchange.wallet import Wallet
from margin.parameters import SCAN_WIDTH_PERCENT
from settlement.batch import RECORD_BYTES, Batch, account_of
from settlement.chain import PostedBatch
from settlement.genesis import genesis_body
from settlement.ledger import Ledger
from settlement.record_types import FILL, Fill
from settlement.records import decode, encode
from settlement.signed_messages import ORDER_FIELDS, Order
from tests.floor import CHAIN_ID, OPERATOR, SETTLEMENT
from tests.published import (
    DOMAIN,
    PUBLISHED_FEES,
    TRANSACTION,
    WALLETS,
    Published,
    chained,
    rewritten,
)

HONEST = Published()
CHAIN = HONEST.on_chain()
LAST_CUT = max(at for at, one in enumerate(HONEST.commands()) if isinstance(one, c.CutBatch))
STRANGER = Wallet(b"\x66" * 32)


def replaced(command: Command, **fields: Any) -> Command:
    return msgspec.structs.replace(command, **fields)


def told(commands: Sequence[Command]) -> AuditReport:
    """The audit of a journal that was rewritten with care."""
    return audit(CHAIN, rewritten([encode_command(command) for command in commands]))


def index_of(kind: type[Command], nth: int = 0) -> int:
    return [at for at, one in enumerate(HONEST.commands()) if isinstance(one, kind)][nth]


def with_changed(kind: type[Command], nth: int, change: Callable[[Any], Command]) -> list[Command]:
    commands = HONEST.commands()
    at = index_of(kind, nth)
    commands[at] = change(commands[at])
    return commands


def with_fields(order: Order, **fields: Any) -> Order:
    return Order(**({name: getattr(order, name) for name in ORDER_FIELDS} | fields))


def resigned(place: c.PlaceOrder, wallet: Wallet, **fields: Any) -> Command:
    """The order with other fields, hashed and signed as `wallet` would have."""
    order = with_fields(place.order, **fields)
    signed = wallet.sign(order, DOMAIN)
    return replaced(
        place,
        order=order,
        order_hash=signed.message_hash,
        signer=wallet.address,
        signature=signed.signature,
    )


# THE TRUTH


def test_the_truth_passes_and_everything_in_it_was_counted() -> None:
    report = audit(CHAIN, HONEST.entries())
    commands = HONEST.commands()
    signed = c.PlaceOrder | c.CancelOrder | c.CancelAllOrders | c.CancelWhere | c.RequestWithdrawal
    assert (report.verdict, report.reason) == ("pass", "")
    assert report.commands == len(commands)
    assert report.signatures == sum(isinstance(one, signed) for one in commands)
    assert (report.batches, report.accounts, report.commands_after) == (3, 3, len(commands) - 34)
    assert report.state_root == "0x" + CHAIN.batches[-1].batch.header.new_root.hex()
    assert report.credited_micro == 150_000_000_000
    assert report.liabilities_micro + report.withdrawn_micro == report.credited_micro
    assert report.fills == 4


def test_rewriting_without_a_change_changes_nothing() -> None:
    assert rewritten(HONEST.payloads) == HONEST.entries()


def test_progress_is_told_every_byte() -> None:
    sizes: list[int] = []
    audit(CHAIN, HONEST.entries(), sizes.append)
    assert sum(sizes) == sum(map(len, HONEST.payloads))


# A JOURNAL THAT WAS REWRITTEN


def test_an_altered_order_is_caught_by_its_hash_and_names_who_signed() -> None:
    report = told(
        with_changed(
            c.PlaceOrder,
            1,
            lambda place: replaced(place, order=with_fields(place.order, quantity_lots=4)),
        )
    )
    assert (report.verdict, report.account) == ("fail", 1)
    assert "another hash" in report.reason
    assert report.sequence == index_of(c.PlaceOrder, 1) + 1


def test_an_altered_order_with_its_new_hash_is_caught_by_its_signature() -> None:
    def alter(place: c.PlaceOrder) -> Command:
        other = resigned(place, STRANGER, quantity_lots=4)
        return replaced(other, signer=place.signer, signature=place.signature)

    report = told(with_changed(c.PlaceOrder, 1, alter))
    assert (report.verdict, report.account) == ("fail", 1)
    assert "another key" in report.reason or "signature" in report.reason


def test_an_order_that_the_owner_really_signed_but_never_sent_is_caught_by_the_batch() -> None:
    """The operator colludes with a member: the signature is right, the posted batch is not of
    this journal.
    """
    report = told(
        with_changed(c.PlaceOrder, 1, lambda place: resigned(place, WALLETS[1], quantity_lots=2))
    )
    assert (report.verdict, report.batch) == ("fail", 2)
    assert report.record is not None
    assert report.account is not None
    assert report.sequence == index_of(c.CutBatch, 1) + 1


def test_an_altered_signature_is_caught() -> None:
    def alter(place: c.PlaceOrder) -> Command:
        signature = bytearray(place.signature)
        signature[40] ^= 1
        return replaced(place, signature=bytes(signature))

    report = told(with_changed(c.PlaceOrder, 0, alter))
    assert (report.verdict, report.account) == ("fail", 0)
    assert report.sequence == index_of(c.PlaceOrder) + 1


def test_a_signature_in_its_other_form_is_caught() -> None:
    """s negated and v flipped recovers the same key; only one form is lawful."""
    order_n = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141

    def flip(place: c.PlaceOrder) -> Command:
        r, s, v = place.signature[:32], place.signature[32:64], place.signature[64]
        high = (order_n - int.from_bytes(s, "big")).to_bytes(32, "big")
        return replaced(place, signature=r + high + bytes([55 - v]))

    report = told(with_changed(c.PlaceOrder, 0, flip))
    assert report.verdict == "fail"
    assert "upper half" in report.reason


def test_an_order_signed_by_a_stranger_does_not_follow_the_posted_batch() -> None:
    """Everything in the entry agrees with itself; the engine refuses the signer, as it would
    have then.
    """
    report = told(with_changed(c.PlaceOrder, 1, lambda place: resigned(place, STRANGER)))
    assert (report.verdict, report.batch) == ("fail", 2)


def test_a_cancel_by_another_key_is_caught() -> None:
    report = told(
        with_changed(c.CancelOrder, 0, lambda cancel: replaced(cancel, signer=STRANGER.address))
    )
    assert (report.verdict, report.account) == ("fail", 0)
    assert "another key" in report.reason


@pytest.mark.parametrize("field", ["amount_micro", "account", "message_hash"])
def test_an_altered_withdrawal_is_caught(field: str) -> None:
    changes = {"amount_micro": 2_000_000, "account": 2, "message_hash": b"\1" * 32}
    report = told(
        with_changed(
            c.RequestWithdrawal, 0, lambda asked: replaced(asked, **{field: changes[field]})
        )
    )
    assert report.verdict == "fail"
    assert report.account == (2 if field == "account" else 1)
    assert report.sequence == index_of(c.RequestWithdrawal) + 1


@pytest.mark.parametrize(
    ("kind", "fields", "account"),
    [
        (c.CreditDeposit, {"amount_micro": 50_000_000_001}, 0),
        (c.CreditDeposit, {"account": 1}, 1),
        (c.CreditDeposit, {"inbox_index": 3}, 0),
        (c.CreditDeposit, {"inbox_index": 99}, 0),
        (c.OpenAccount, {"owner": STRANGER.address}, 0),
        (c.RegisterKey, {"key": STRANGER.address}, 2),
        (c.RegisterKey, {"valid_until_s": 2**40}, 2),
    ],
)
def test_what_did_not_come_from_the_vault_like_this_is_caught(
    kind: type[Command], fields: dict[str, Any], account: int
) -> None:
    report = told(with_changed(kind, 0, lambda one: replaced(one, **fields)))
    assert (report.verdict, report.account) == ("fail", account)
    assert "inbox" in report.reason
    assert report.sequence == index_of(kind) + 1


def test_a_dropped_command_is_caught_at_the_batch_that_it_made() -> None:
    commands = HONEST.commands()
    del commands[index_of(c.PlaceOrder, 1)]
    report = told(commands)
    assert (report.verdict, report.batch) == ("fail", 2)
    assert report.record is not None


def test_a_dropped_deposit_is_caught() -> None:
    commands = HONEST.commands()
    del commands[index_of(c.CreditDeposit, 2)]
    assert (told(commands).verdict, told(commands).batch) == ("fail", 1)


def test_a_dropped_command_without_a_record_is_caught_by_the_journal_hash() -> None:
    """A cancelled order leaves no record, but the header binds the journal."""
    commands = HONEST.commands()
    del commands[index_of(c.CancelOrder)]
    report = told(commands)
    assert (report.verdict, report.batch) == ("fail", 3)
    assert "journal" in report.reason


def test_two_commands_in_another_order_are_caught() -> None:
    commands = HONEST.commands()
    at = index_of(c.PlaceOrder, 2)
    first, second = commands[at], commands[at + 1]
    commands[at] = replaced(second, time_ns=first.time_ns)
    commands[at + 1] = replaced(first, time_ns=second.time_ns)
    report = told(commands)
    assert (report.verdict, report.batch) == ("fail", 2)


def test_time_that_falls_is_caught() -> None:
    commands = HONEST.commands()
    at = index_of(c.CancelOrder)
    commands[at] = replaced(commands[at], time_ns=commands[at - 1].time_ns - 1)
    report = told(commands)
    assert "time falls" in report.reason
    assert report.sequence == at + 1


def test_moved_marks_are_caught() -> None:
    report = told(
        with_changed(
            c.UpdateMarks, 1, lambda marks: replaced(marks, index_micro=marks.index_micro + 1)
        )
    )
    assert (report.verdict, report.batch) == ("fail", 3)


def test_a_cut_that_names_another_journal_is_caught() -> None:
    payloads = list(HONEST.payloads)
    at = index_of(c.CutBatch, 1)
    cut = HONEST.commands()[at]
    payloads[at] = encode_command(replaced(cut, journal_hash=b"\1" * 32))
    report = audit(CHAIN, chained(payloads))
    assert (report.verdict, report.batch, report.sequence) == ("fail", 2, at + 1)
    assert "journal hash" in report.reason


def test_a_claim_that_the_chain_does_not_have_is_caught() -> None:
    for change in ({"amount_micro": 999_999}, {"number": 1}):
        report = told(
            with_changed(c.RecordClaim, 0, lambda one, change=change: replaced(one, **change))
        )
        assert report.verdict == "fail"
        assert "claim" in report.reason
        assert report.sequence == index_of(c.RecordClaim) + 1


@pytest.mark.parametrize(
    "fields", [{"number": 9}, {"number": 0}, {"block": 5}, {"transaction": b"\3" * 32}]
)
def test_a_confirmation_that_the_chain_does_not_have_is_caught(fields: dict[str, Any]) -> None:
    report = told(with_changed(c.ConfirmBatch, 1, lambda one: replaced(one, **fields)))
    assert (report.verdict, report.batch) == ("fail", fields.get("number", 2))
    assert report.sequence == index_of(c.ConfirmBatch, 1) + 1


@pytest.mark.parametrize(
    "fields",
    [
        {"chain_id": 1},
        {"settlement": b"\1" * 20},
        {"operator": b"\1" * 20},
        {"maker_fee_e6": 0},
        {"combo_discount": 1},
    ],
)
def test_another_genesis_is_caught(fields: dict[str, Any]) -> None:
    report = told(with_changed(c.Genesis, 0, lambda one: replaced(one, **fields)))
    assert (report.verdict, report.sequence) == ("fail", 1)


def test_a_genesis_that_the_engine_refuses_is_a_verdict() -> None:
    report = told(with_changed(c.Genesis, 0, lambda one: replaced(one, width_percent=19)))
    assert (report.verdict, report.sequence) == ("fail", 1)


def test_a_second_genesis_is_refused_and_hides_nothing() -> None:
    """A refused command is lawful in a journal; behind the last batch it changes nothing."""
    commands = HONEST.commands()
    second = replaced(commands[0], time_ns=commands[-1].time_ns)
    report = told([*commands, second])
    assert report.verdict == "pass", report.reason
    assert report.batches == 3


def test_a_journal_that_is_empty_or_no_journal_is_a_verdict() -> None:
    assert audit(CHAIN, []).verdict == "fail"
    assert "no command" in audit(CHAIN, chained([b"\1\x99" + bytes(8)])).reason
    assert "no command" in audit(CHAIN, chained([b""])).reason


def test_a_journal_that_ends_before_the_last_posted_batch_is_caught() -> None:
    report = audit(CHAIN, chained(HONEST.payloads[:LAST_CUT]))
    assert (report.verdict, report.batch) == ("fail", 3)
    assert "does not make" in report.reason


def test_a_journal_with_a_tail_that_is_not_on_chain_yet_passes_and_says_so() -> None:
    chain = CHAIN._replace(batches=CHAIN.batches[:2])
    commands = HONEST.commands()[: LAST_CUT + 1]
    report = audit(chain, chained([encode_command(one) for one in commands]))
    assert report.verdict == "pass", report.reason
    assert report.commands_after == len(commands) - index_of(c.CutBatch, 1) - 1


def test_batches_posted_while_the_audit_ran_are_not_demanded_of_the_journal() -> None:
    report = audit(CHAIN, chained(HONEST.payloads[:LAST_CUT]), required=2)
    assert (report.verdict, report.batches) == ("pass", 2)


@settings(max_examples=150)
@given(st.data())
@example(None)
def test_every_byte_that_a_batch_vouches_for_is_vouched_for(data: st.DataObject | None) -> None:
    """Whatever byte of whatever command is changed, and with whatever care the rest is made to
    fit: fail, and no exception.
    """
    if data is None:
        at, byte, bits = 0, 2, 0x80
    else:
        at = data.draw(st.integers(0, LAST_CUT - 1), label="command")
        byte = data.draw(st.integers(0, len(HONEST.payloads[at]) - 1), label="byte")
        bits = data.draw(st.integers(1, 255), label="bits")
    payloads = list(HONEST.payloads)
    changed = bytearray(payloads[at])
    changed[byte] ^= bits
    payloads[at] = bytes(changed)
    for entries in (chained(payloads), rewritten(payloads)):
        if entries == HONEST.entries():
            continue  # it was a CutBatch's journal hash, and put right again
        report = audit(CHAIN, entries)
        assert report.verdict == "fail"
        assert report.reason
        assert report.sequence is not None
        assert report.sequence >= at + 1


# A CHAIN THAT SAYS OTHERWISE


def posted_instead(number: int, batch: Batch) -> OnChain:
    batches = list(CHAIN.batches)
    batches[number - 1] = PostedBatch(batch, batches[number - 1].block, TRANSACTION)
    return CHAIN._replace(batches=tuple(batches))


def fill_place(batch: Batch) -> int:
    at = range(0, len(batch.records), RECORD_BYTES)
    return next(n for n, start in enumerate(at) if batch.records[start] == FILL)


@pytest.mark.parametrize(
    "change",
    [
        (1, 0, 0, 0),
        (0, 1, 0, 0),
        (0, 0, 1, 0),
        (0, 0, 0, 1),
    ],
)
def test_a_posted_fill_that_never_was_is_named(change: tuple[int, int, int, int]) -> None:
    honest = CHAIN.batches[2].batch
    at = fill_place(honest)
    start = at * RECORD_BYTES
    fill = decode(honest.records[start : start + RECORD_BYTES])
    assert isinstance(fill, Fill)
    price, lots, taker, instrument = change
    lie = encode(
        fill._replace(
            price_ticks=fill.price_ticks + price,
            quantity_lots=fill.quantity_lots + lots,
            taker=fill.taker + taker,
            instrument=fill.instrument + instrument,
        )
    )
    records = honest.records[:start] + lie + honest.records[start + RECORD_BYTES :]
    report = audit(posted_instead(3, honest._replace(records=records)), HONEST.entries())
    assert (report.verdict, report.batch, report.record) == ("fail", 3, at)
    assert report.account == account_of(lie)
    assert report.batches == 2


def test_a_forgery_that_is_lawful_in_itself_is_named() -> None:
    """All roots and the header follow from the forged record: no contract can tell."""
    body = genesis_body(CHAIN_ID, SETTLEMENT, OPERATOR, PUBLISHED_FEES, SCAN_WIDTH_PERCENT)
    made = forge(Ledger(body, PUBLISHED_FEES), CHAIN.batches[:2], CHAIN.batches[2].batch)
    assert made is not None
    lie, record = made
    assert lie.header.previous_root == CHAIN.batches[2].batch.header.previous_root
    report = audit(posted_instead(3, lie), HONEST.entries())
    assert (report.verdict, report.batch, report.record) == ("fail", 3, record)
    assert report.account is not None


def test_a_record_too_many_or_too_few_is_named() -> None:
    honest = CHAIN.batches[1].batch
    for records in (honest.records[:-496], honest.records + bytes(496)):
        report = audit(posted_instead(2, honest._replace(records=records)), HONEST.entries())
        assert (report.verdict, report.batch) == ("fail", 2)
        assert report.record is not None


def test_a_root_too_many_is_a_verdict() -> None:
    honest = CHAIN.batches[1].batch
    lie = honest._replace(chunk_roots=(*honest.chunk_roots, bytes(32)))
    assert audit(posted_instead(2, lie), HONEST.entries()).batch == 2


def test_a_root_after_a_chunk_that_does_not_follow_is_named() -> None:
    honest = CHAIN.batches[1].batch
    lie = honest._replace(chunk_roots=(b"\1" * 32, *honest.chunk_roots[1:]))
    report = audit(posted_instead(2, lie), HONEST.entries())
    assert (report.verdict, report.batch) == ("fail", 2)
    assert "chunk 0" in report.reason


@pytest.mark.parametrize("field", CHAIN.batches[0].batch.header._fields)
def test_every_field_of_a_header_is_compared(field: str) -> None:
    honest = CHAIN.batches[1].batch
    value = getattr(honest.header, field)
    other = value + 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:]
    lie = honest._replace(header=honest.header._replace(**{field: other}))
    report = audit(posted_instead(2, lie), HONEST.entries())
    assert (report.verdict, report.batch) == ("fail", 2)
    assert field in report.reason


def test_a_batch_that_the_journal_lacks_is_named() -> None:
    extra = PostedBatch(
        CHAIN.batches[2].batch._replace(header=CHAIN.batches[2].batch.header._replace(number=4)),
        14,
        TRANSACTION,
    )
    report = audit(CHAIN._replace(batches=(*CHAIN.batches, extra)), HONEST.entries())
    assert (report.verdict, report.batch) == ("fail", 4)


def test_another_genesis_root_on_chain_is_caught() -> None:
    report = audit(CHAIN._replace(genesis_root=bytes(32)), HONEST.entries())
    assert "genesis root" in report.reason


def test_a_vault_that_holds_a_micro_less_than_it_owes_is_caught() -> None:
    assert audit(CHAIN._replace(vault_micro=CHAIN.vault_micro + 5), HONEST.entries()).verdict
    report = audit(CHAIN._replace(vault_micro=CHAIN.vault_micro - 1), HONEST.entries())
    assert report.verdict == "fail"
    assert "Vault" in report.reason
