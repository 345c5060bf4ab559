"""What each command does, in four movements: CHECK, MARGIN, MATCH, EMIT (those that it has).

`orders`  place, replace, cancel        `accounts`  what comes from the chain, withdrawals
`marks`   marks, funding, settlement    `listings`  what is traded     `batches`  genesis,
batches, time
"""
