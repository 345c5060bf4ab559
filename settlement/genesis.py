"""The Genesis command's body, and the state root before the first batch.

Holds: the bytes of docs/protocol.md, 3, type 0x00; the contract is deployed with `genesis_root`,
so chain, contract, operator and parameters are one with the journal.
Never: changes after it is posted.
"""

from struct import Struct
from typing import Final

from margin.fees import FeeSchedule
from settlement.ledger import Ledger

_BODY: Final = Struct(">Q20s20sHHHHHBB")


def genesis_body(
    chain_id: int, settlement: bytes, operator: bytes, fees: FeeSchedule, width_percent: int
) -> bytes:
    """Body of the Genesis command; addresses are 20 bytes."""
    return _BODY.pack(chain_id, settlement, operator, *fees, width_percent)


def genesis_root(body: bytes, fees: FeeSchedule) -> bytes:
    """The state root of an exchange in which nothing has happened."""
    return Ledger(body, fees).root()
