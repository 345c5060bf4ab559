"""What each command does, in four movements: CHECK, MARGIN, MATCH, EMIT (those that it has).

`orders`    place, replace             `cancels`   cancel, expire
`accounts`  the inbox, withdrawals     `marks`     marks, funding, settlement
`listings`  what is traded             `batches`   genesis, batches, time
`funding`   premiums, funding          `fee_levels`  makers' rates
`risk_profiles`  margin models, tiers
"""
