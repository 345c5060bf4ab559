"""One exchange, whole, in one process: journal, engine, both doors, settlement.

Holds: the doors open only after the journal was replayed; whatever of these ends ends all of them.
Never: knows what is traded or who trades.
"""

import asyncio
import logging
from typing import NamedTuple, Self

from exchange.gateway_fix.server import Counterparty, FixServer
from exchange.gateway_rpc.server import RpcGateway
from exchange.home import Home
from exchange.service import Exchange
from exchange.settler import SettlementPace, Settler
from settlement.chain import Chain
from settlement.node import Node

_log = logging.getLogger(__name__)


class Ports(NamedTuple):
    """Where the doors listen on loopback; 0 asks the system for a free port."""

    rpc: int = 0
    fix: int = 0


class Host:
    """The running whole. `async with Host(home) as host:`"""

    def __init__(
        self, home: Home, ports: Ports | None = None, pace: SettlementPace | None = None
    ) -> None:
        ports = ports or Ports()
        self.site = home.site()
        key = home.operator_key()
        self.exchange = Exchange.open(home.journal, home.operator(), clock=self.site.clock())
        self.exchange.vault = self.site.vault_address
        self.chain = Chain(Node(self.site.rpc), self.site.settlement_address)
        self.settler = Settler(
            self.exchange.state,
            self.exchange.read_model,
            self.exchange.submit,
            self.chain,
            key,
            pace or SettlementPace(),
            self.site.block,
        )
        self.exchange.is_chain_up = lambda: self.settler.is_up
        self.exchange.on_applied = self.settler.after
        self.rpc = RpcGateway(self.exchange, port=ports.rpc)
        self.fix = FixServer(
            self.exchange,
            [Counterparty(name) for name in self.site.fix_sessions],
            directory=home.fix,
            clock=self.site.clock(),
        )
        self.fix_port = ports.fix
        self._settling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.exchange.start()
        return self

    async def open_doors(self) -> None:
        """Opens both ports and begins to settle. OSError or FixDoorError where a port is in
        use.
        """
        await self.rpc.start()
        self.fix_port = await self.fix.start(port=self.fix_port)
        self._settling = asyncio.create_task(self.settler.run())
        self._settling.add_done_callback(self._settling_ended)

    def _settling_ended(self, task: asyncio.Task[None]) -> None:
        """An exchange that trades on and never settles again would be worse than none."""
        broken = None if task.cancelled() else task.exception()
        if broken is not None and self.exchange.sequencer.failure is None:
            _log.error("settlement broke", exc_info=broken)
            self.exchange.sequencer.fail(f"settlement broke: {broken!r}")

    async def __aexit__(self, *_: object) -> None:
        await self.fix.stop()
        await self.rpc.stop()
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.gather(self._settling, return_exceptions=True)
        await self.exchange.stop()
