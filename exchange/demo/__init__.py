"""`straddle demo`: a real option chain trades, settles on a real chain and is audited, in one
command.

`stage`    chain, contracts, exchange, members with money    `makers`   quote over FIX
`takers`   trade over WebSocket                              `strategies`  what they trade
`forgery`  a batch that lies, and the auditor's answer       `story`    the whole, in order
`summary`  what happened, as a table or JSON
"""
