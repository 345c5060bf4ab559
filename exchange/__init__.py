"""The exchange: the service around the engine, and the engine itself.

commands, events, codec    what can happen, what happened, their bytes
state, engine, handlers    apply(state, command) -> events
invariants                 what must hold after every command
journal, sequencer         every command durable before it is applied
service, venue, views      the exchange as its doors see it; read_model: histories
gateway_rpc, gateway_fix   the doors; client, wallet, drafting: a trader's side of one
settler, host, home        the chain's side, the whole process, the directory it lives in
founding, operating        a new exchange, a running one; operator_door: its operator's word
listing_rules, keeping     what is listed when, and who sees to it; stated_markets: its own marks
oracle                     signed price reports: medians, bounds, feeds; its state and its feeds
audit, auditing            is it all one story?
demo, bench, cli           what a newcomer sees
"""
