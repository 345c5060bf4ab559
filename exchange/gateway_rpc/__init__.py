"""The JSON-RPC 2.0 door: HTTP POST at /rpc and WebSocket at /ws on one port (docs/rpc.md).

`server`    sockets, sizes, slow readers        `methods`      what each method does
`requests`  JSON into typed messages            `views`        answers in JSON
`channels`  subscriptions and their snapshots   `event_views`  events in JSON
`failures`  every error that it answers
"""

from exchange.gateway_rpc.server import RpcGateway, RpcLimits

__all__ = ["RpcGateway", "RpcLimits"]
