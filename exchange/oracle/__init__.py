"""The oracle: signed price reports of several reporters, made into one update of the marks.

    terms        what an oracle is armed with, and what of it is wrong
    report       a report in the exchange's own units
    aggregate    median, medoid and outliers of reports
    arbitrage    whether a smile lets calls be bought, sold or exchanged for nothing
    oracle       what an underlying's oracle remembers between commands

and, beyond the core, which reads no file and no clock:

    quotes       the door of quotes: what cannot be fitted is turned away with a reason
    feed         what a feed gives, and its reports signed by many reporters
    file_feed    recorded markets: the chain that ships, and the crash of February 2026
    synthetic_feed   correlated paths with jumps and surfaces that move with them
    faults       feeds that stop, jump or lie
    feeding      a feed that reports to a running exchange

`exchange/handlers/oracle.py` is the engine's side. docs/oracle.md tells it by example.
"""
