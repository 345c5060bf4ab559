"""The FIX 4.4 door.

    tags        the standard's numbers
    message     bytes to messages and back: frames, checksums, fields
    dictionary  which fields each message has, and how they are written
    timestamps  the standard's way to write a moment
    session     the session protocol without I/O: bytes in, events and bytes out
    outbox      its outgoing half: numbering, and sending again
    store       a session's numbers, sent messages and live orders, kept over a restart
    orders      from messages to the signed orders of docs/protocol.md
    reports     what an order's owner is told, as fields
    desk        which order belongs to which session
    telling     from events to reports
    seat        from requests to the venue and back
    server      sockets on one side, `exchange.venue.Venue` on the other
    client      the other end, for market makers and tests

A message comes in through server, session and seat; a report goes out through desk, telling,
outbox and server.
"""
