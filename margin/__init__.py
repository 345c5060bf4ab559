"""Margin: what accounts are worth and what they must keep, in integers.

`accounts`, `marks`, `portfolio`   positions, marks, the gate that matching asks
`open_orders`, `provisional`       what open orders could lose; an account inside a plan
`kernel`, `kernel_numpy`           scenario vectors: the few operations that are hot
`what_if`, `liquidation_price`     what an account would need, and where it would fall
`watch`, `sweep`, `sweep_numpy`    all accounts at once when marks move; who fell
`fixed_point`, `normal`, `svi`, `black76`, `scenarios`, `rows`   pricing, bit for bit as in Solidity
`parameters`                       every number of the model
`fees`, `funding`                  what a trade costs; what longs and shorts pay each other
`analytics`                        float advice: fits, Greeks, the shipped chain
"""
