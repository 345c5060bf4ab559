"""Matching: instruments, orders, books and combos, and the plan by which an order meets them.

`instruments`  what is traded, and its symbol        `orders`  an order as the books know it
`combos`       strategies of 2 to 8 legs             `book`    price-time priority
`plan`         what an aggressive order would do     `leg_prices`  how a net price falls on its legs
`combo_life`   how combos come and go        `implied_out`  what resting combos offer
`gate`         the question that margin answers      `rejects`  every numbered reason to refuse
"""
