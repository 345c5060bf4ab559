"""The server's hashes against eth-account's, for any message; and each side's signatures."""

from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.wallet import SigningDomain, Wallet, price_report_typed_data, typed_data
from matching.combos import canonical_legs
from matching.rejects import Reject
from settlement.account_messages import (
    BidAuction,
    ChooseMargin,
    ConvertCollateral,
    FundInsurance,
    ResetProtection,
    SetProtection,
    TransferCash,
    TransferPosition,
    Withdraw,
)
from settlement.order_fields import check_order_fields
from settlement.price_reports import PriceReport, price_report_hash
from settlement.signature import Signer, recover
from settlement.signed_messages import (
    PLAIN,
    Acknowledgement,
    Cancel,
    CancelAll,
    CancelWhere,
    Conditions,
    Message,
    Order,
    decode_order,
    domain_separator,
    encode_order,
    signing_digest,
    struct_hash,
)

GROUP_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.one_of(st.integers(0, 2**bits - 1), st.sampled_from((0, 1, 2**bits - 1)))


def signed(bits: int) -> st.SearchStrategy[int]:
    half = 2 ** (bits - 1)
    return st.one_of(st.integers(-half, half - 1), st.sampled_from((-half, -1, 0, half - 1)))


def words(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


# Any values that the wire's types can hold, sensible or not: what is signed must always hash alike.
orders = st.builds(
    Order,
    unsigned(32),
    unsigned(32),
    unsigned(8),
    unsigned(8),
    unsigned(16),
    signed(64),
    unsigned(32),
    unsigned(64),
    unsigned(64),
    unsigned(64),
    words(32),
    st.lists(st.tuples(unsigned(32), signed(16)), max_size=10).map(tuple),
    st.one_of(
        st.just(PLAIN),
        st.builds(
            Conditions,
            unsigned(32),
            unsigned(32),
            unsigned(8),
            signed(64),
            words(32),
            unsigned(64),
            unsigned(32),
            unsigned(8),
            unsigned(64),
        ),
    ),
)
messages: st.SearchStrategy[Message] = st.one_of(
    orders,
    st.builds(Cancel, unsigned(32), words(32)),
    st.builds(CancelAll, unsigned(32), unsigned(32)),
    st.builds(CancelWhere, unsigned(32), unsigned(8), unsigned(64), unsigned(64), unsigned(64)),
    st.builds(
        SetProtection,
        unsigned(32),
        unsigned(8),
        unsigned(32),
        unsigned(32),
        unsigned(32),
        unsigned(64),
        unsigned(64),
        unsigned(64),
        unsigned(64),
    ),
    st.builds(ChooseMargin, unsigned(32), unsigned(8), unsigned(8), unsigned(64), unsigned(64)),
    st.builds(ResetProtection, unsigned(32), unsigned(8), unsigned(64), unsigned(64)),
    st.builds(
        TransferCash,
        unsigned(32),
        unsigned(32),
        unsigned(8),
        unsigned(64),
        unsigned(64),
        unsigned(64),
    ),
    st.builds(
        TransferPosition,
        unsigned(32),
        unsigned(32),
        unsigned(32),
        unsigned(8),
        unsigned(32),
        unsigned(64),
        unsigned(64),
    ),
    st.builds(Withdraw, unsigned(32), unsigned(8), unsigned(64), unsigned(64)),
    st.builds(
        ConvertCollateral,
        unsigned(32),
        unsigned(32),
        unsigned(8),
        unsigned(64),
        unsigned(64),
        unsigned(64),
        unsigned(64),
    ),
    st.builds(
        BidAuction,
        unsigned(32),
        unsigned(32),
        unsigned(32),
        unsigned(32),
        signed(64),
        unsigned(64),
        unsigned(64),
    ),
    st.builds(FundInsurance, unsigned(32), unsigned(64), unsigned(64), unsigned(64)),
    st.builds(Acknowledgement, unsigned(64), words(32), words(32)),
)
reports = st.builds(
    PriceReport,
    unsigned(8),
    unsigned(64),
    unsigned(8),
    unsigned(128),
    unsigned(64),
    st.lists(
        st.tuples(unsigned(16), unsigned(128), *(signed(32) for _ in range(5))), max_size=4
    ).map(tuple),
)
domains = st.builds(SigningDomain, unsigned(256), words(20))
secrets = st.integers(1, GROUP_ORDER - 1).map(lambda number: number.to_bytes(32, "big"))


@settings(max_examples=150, deadline=None)
@given(messages, domains)
def test_a_wallet_and_the_server_hash_every_message_alike(
    message: Message, domain: SigningDomain
) -> None:
    signable = encode_typed_data(full_message=typed_data(message, domain))
    assert domain_separator(*domain) == signable.header
    assert struct_hash(message) == signable.body


@settings(max_examples=60, deadline=None)
@given(messages, domains, secrets)
def test_what_a_wallet_signs_the_server_recovers(
    message: Message, domain: SigningDomain, secret: bytes
) -> None:
    wallet = Wallet(secret)
    message_hash, signature = wallet.sign(message, domain)
    assert message_hash == struct_hash(message)
    digest = signing_digest(domain_separator(*domain), message_hash)
    assert recover(digest, signature) == wallet.address


@settings(max_examples=60, deadline=None)
@given(reports, domains, secrets)
def test_a_wallet_and_the_server_hash_a_price_report_alike_and_know_who_signed(
    report: PriceReport, domain: SigningDomain, secret: bytes
) -> None:
    message_hash, signature = Wallet(secret).sign_report(report, domain)
    assert message_hash == price_report_hash(report)
    digest = signing_digest(domain_separator(*domain), message_hash)
    assert recover(digest, signature) == Wallet(secret).address
    signable = encode_typed_data(full_message=price_report_typed_data(report, domain))
    address = Account.recover_message(signable, signature=Signer(secret).sign(digest))
    assert address.lower() == "0x" + Signer(secret).address.hex()


@given(reports, reports)
def test_two_reports_share_a_hash_only_when_they_are_the_same(
    one: PriceReport, other: PriceReport
) -> None:
    assert (price_report_hash(one) == price_report_hash(other)) == (one == other)


@settings(max_examples=60, deadline=None)
@given(messages, domains, secrets)
def test_what_the_operator_signs_a_wallet_recovers(
    message: Message, domain: SigningDomain, secret: bytes
) -> None:
    signer = Signer(secret)
    digest = signing_digest(domain_separator(*domain), struct_hash(message))
    signable = encode_typed_data(full_message=typed_data(message, domain))
    address = Account.recover_message(signable, signature=signer.sign(digest))
    assert address.lower() == "0x" + signer.address.hex()


@given(words(32), st.binary(max_size=70))
def test_no_bytes_make_recovery_raise(digest: bytes, signature: bytes) -> None:
    answer = recover(digest, signature)
    assert isinstance(answer, Reject) or len(answer) == 20


@given(words(32), words(64), st.sampled_from((27, 28)))
def test_random_r_and_s_give_a_number_or_an_address(digest: bytes, rs: bytes, v: int) -> None:
    answer = recover(digest, rs + bytes((v,)))
    assert answer.code in (502, 504, 505) if isinstance(answer, Reject) else len(answer) == 20


@given(orders, st.binary(max_size=5), st.binary(max_size=5))
def test_an_order_read_from_its_bytes_is_the_order(
    order: Order, before: bytes, after: bytes
) -> None:
    written = encode_order(order)
    read = decode_order(before + written + after, len(before))
    assert read == (order, len(before) + len(written))


@given(st.binary(max_size=150), st.integers(0, 160))
def test_any_bytes_are_an_order_that_writes_itself_back_or_malformed(
    data: bytes, offset: int
) -> None:
    read = decode_order(data, offset)
    if isinstance(read, Reject):
        assert read == Reject(101, len(data))
    else:
        order, end = read
        assert encode_order(order) == data[offset:end]


@given(orders, orders)
def test_two_orders_share_a_hash_only_when_they_are_the_same(one: Order, other: Order) -> None:
    assert (struct_hash(one) == struct_hash(other)) == (one == other)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(-9, 9)), min_size=1, max_size=8))
def test_legs_made_canonical_pass_and_others_do_not(written: list[tuple[int, int]]) -> None:
    legs, _, _ = canonical_legs(written)

    def refused(candidate: tuple[tuple[int, int], ...]) -> bool:
        order = Order(0, 0, 0, 0, 0, 10_000, 1, 0, 0, 0, bytes(32), candidate)
        return check_order_fields(order) is not None

    assert refused(legs) == (len(legs) == 0)
    assert refused(tuple(written)) == (tuple(written) != legs or not legs)
