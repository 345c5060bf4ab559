"""How much of an order everyone sees.

Holds: the one place that reads a displayed quantity off an event; books, depth and the best prices
count what it gives.
Never: guesses at what is hidden.
"""

from exchange.events import OrderRested


def displayed_lots(event: OrderRested) -> int:
    """Lots (or units) that a resting order shows when it comes to its place."""
    return event.displayed_lots
