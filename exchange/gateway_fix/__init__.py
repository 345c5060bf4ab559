"""The FIX 4.4 door.

tags        the standard's numbers
message     bytes to messages and back: frames, checksums, fields
dictionary  which fields each message has, and how they are written
session     the session protocol without I/O: bytes in, events and bytes out
store       a session's sequence numbers and sent messages, kept over a restart
orders      from messages to the signed orders of docs/protocol.md
reports     from what happened to execution reports
desk        the orders of a session, from request to last report
server      sockets on one side, `exchange.venue.Venue` on the other
client      the other end, for market makers and tests
"""
