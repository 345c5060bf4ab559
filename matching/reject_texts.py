"""What each reason to refuse says to a person: its name and a sentence, by its number in
`rejects.py`.

Holds: every code has one, in the codes' order; a sentence names the value that was got and, where
there is one, the value that is allowed.
Never: changes what a code means.
"""

from typing import Final

TEMPLATES: Final[dict[int, tuple[str, str]]] = {
    101: ("malformed", "the message cannot be read at byte {got}"),
    102: ("oversized", "the message has {got} bytes; at most {allowed} are read"),
    103: ("unknown method", "no such method or message type"),
    104: ("unsupported version", "version {got} is not spoken here; use {allowed}"),
    201: (
        "unknown instrument",
        "no instrument has the number {got}; {allowed} are listed",
    ),
    202: (
        "unknown account",
        "no account has the number {got}; deposit first, {allowed} exist",
    ),
    203: ("unknown order", "no order with this hash is live"),
    204: ("unknown asset", "asset {got} is not accepted; use {allowed} (USDC)"),
    205: (
        "unknown underlying",
        "no underlying has the number {got}; {allowed} are listed",
    ),
    206: ("unknown expiry", "no expiry has the number {got}; {allowed} are listed"),
    207: (
        "instrument not open",
        "instrument {got} does not trade: expired or settled",
    ),
    208: ("not your order", "the order belongs to account {allowed}, not {got}"),
    209: (
        "before the opening",
        "instrument {got} is in pre-open: nothing trades, only good-till-cancelled orders rest",
    ),
    210: (
        "nothing trades now",
        "nothing trades for now: an order at {got} would meet the price {allowed}",
    ),
    211: ("post-only now", "instrument {got} takes post-only orders alone for now"),
    212: (
        "cancel-only now",
        "instrument {got} takes cancels and smaller replacements alone for now",
    ),
    213: ("halted now", "instrument {got} is halted: it takes cancels alone"),
    214: ("unknown scope", "no scope {got}; use 0 (venue) to {allowed}"),
    215: ("unknown state", "state or reason {got} cannot be ordered; use 0 to {allowed}"),
    301: (
        "price out of range",
        "limit price {got} micro-USDC; a single instrument's is 1 to {allowed}, a net price at "
        "most that in size",
    ),
    302: (
        "price off tick",
        "limit price {got} is not a multiple of the tick, {allowed} micro-USDC",
    ),
    303: (
        "quantity out of range",
        "quantity {got}; it must be 1 to {allowed} lots",
    ),
    304: ("unknown side", "side {got}; use 0 (buy) or 1 (sell)"),
    305: (
        "unknown time in force",
        "time in force {got}; use 0 (GTC), 1 (IOC) or 2 (FOK)",
    ),
    306: ("unknown flag", "flags {got}; only the bits {allowed} have a meaning"),
    307: (
        "fee too high",
        "the fee could be {got} micro-USDC a lot; the order allows {allowed}",
    ),
    308: (
        "post-only needs GTC",
        "a post-only order rests: use time in force 0 (GTC), not {got}",
    ),
    311: ("leg count", "{got} legs; an order has 1 to {allowed}"),
    312: (
        "leg ratio out of range",
        "ratio {got}; it must not be 0 and its size at most {allowed}",
    ),
    313: (
        "legs not ascending",
        "leg {got} stands after {allowed}; sort legs by instrument number",
    ),
    314: ("leg twice", "instrument {got} is named by two legs; add their ratios into one"),
    315: (
        "ratios not reduced",
        "the ratios share the factor {got}; divide by it, scale quantity up",
    ),
    316: (
        "first ratio negative",
        "first ratio {got}; turn all signs, the side and the net price",
    ),
    317: ("single leg ratio", "a single instrument has ratio 1, not {got}"),
    319: (
        "too many combos",
        "{got} combos exist and have orders; at most {allowed} may",
    ),
    320: (
        "too many combos of one account",
        "the account has orders in {got} combos; at most {allowed} may hold them",
    ),
    321: (
        "unknown condition",
        "condition {got} (counted from 0) is not offered; leave it 0",
    ),
    322: (
        "minimum quantity out of range",
        "minimum quantity {got}; the whole order has {allowed} lots",
    ),
    323: (
        "displayed quantity out of range",
        "{got} lots displayed: a hundredth of the quantity at least, all of it at most; the bound "
        "is {allowed}",
    ),
    324: (
        "displayed quantity needs GTC",
        "an order that shows a part rests: use time in force 0 (GTC), not {got}",
    ),
    325: (
        "market needs IOC or FOK",
        "a market order never rests: use time in force 1 (IOC) or 2 (FOK), not {got}",
    ),
    326: (
        "slide needs post-only",
        "flags {got}: only a post-only order slides; add {allowed}",
    ),
    327: (
        "post-only takes nothing",
        "a post-only order with a minimum quantity of {got} to trade at once; leave it 0",
    ),
    328: (
        "reduce-only is for one instrument",
        "a reduce-only order has {got} legs; send one for each leg",
    ),
    341: (
        "unknown scope of a cancel",
        "scope {got} of a mass cancel; it must be 0 to {allowed}",
    ),
    342: (
        "scope without value",
        "a mass cancel of everything takes the value 0, not {got}",
    ),
    343: ("unknown trigger", "trigger {got}; it must be 0 (none) to {allowed}"),
    344: (
        "trigger price out of range",
        "trigger price {got} micro-USDC; with a trigger it is 1 to {allowed}, without one 0",
    ),
    345: (
        "waits with one leg",
        "an order of {got} legs cannot wait for a trigger or another order; one leg can",
    ),
    346: (
        "session needed",
        "an order until disconnect (flag {got}) needs a connection that stays: WebSocket or FIX",
    ),
    347: (
        "volatility out of range",
        "volatility {got} millionths; with the flag it is 1 to {allowed}, without it 0",
    ),
    348: (
        "too many volatility orders",
        "{got} orders of the account are priced in volatility; at most {allowed} may rest",
    ),
    349: (
        "volatility needs an option",
        "an order priced in volatility is for one option; instrument {got} is not all of that",
    ),
    350: (
        "volatility needs good-till-cancelled",
        "time in force {got}; an order priced in volatility rests: use {allowed}",
    ),
    361: ("quote count", "{got} quotes; a mass quote has 1 to {allowed}"),
    362: ("quote crossed", "the bid, {got}, is not below the ask, {allowed}"),
    363: (
        "quote twice",
        "quote {got} is of an instrument that a quote before it names; quote it once",
    ),
    364: (
        "quote salt out of range",
        "salt {got}; each side takes the next, so at most {allowed} leaves room for all",
    ),
    401: (
        "order expired",
        "the order expired at {got}; it is now {allowed} (Unix seconds)",
    ),
    402: (
        "expiry too far",
        "expiry {got} is too far ahead; the latest is {allowed} (Unix seconds)",
    ),
    403: (
        "order already used",
        "an order with this hash was taken before; change the salt",
    ),
    404: (
        "counter cancelled",
        "counter {got} was cancelled; the account's is {allowed}",
    ),
    405: ("counter ahead", "counter {got} is ahead of the account's, {allowed}"),
    406: (
        "would cross",
        "a post-only order at {got} would trade at once; the best price is {allowed}",
    ),
    407: ("cannot fill", "fill-or-kill for {got}: only {allowed} can trade at the limit"),
    408: (
        "order not live",
        "the order to cancel or replace is no longer live: filled or cancelled",
    ),
    409: ("counter must rise", "new counter {got}; it must be above {allowed}"),
    410: (
        "below minimum quantity",
        "at least {got} must trade at once: only {allowed} can at the limit",
    ),
    411: (
        "nothing to reduce",
        "a reduce-only order, and the position of {got} lots is not on the other side",
    ),
    420: (
        "message expired",
        "the message expired at {got}; it is now {allowed} (Unix seconds)",
    ),
    421: (
        "too many waiting orders",
        "{got} orders of the account wait; at most {allowed} may",
    ),
    422: (
        "parent not live",
        "the order to wait for is not live: filled, cancelled or never placed",
    ),
    423: (
        "group full",
        "the group has {got} live orders; at most {allowed} may cancel each other",
    ),
    430: (
        "protection not set",
        "the account has no protection group {got}; set its limits first",
    ),
    431: (
        "protection frozen",
        "protection group {got} reached a limit; its orders are refused for {allowed} ms more",
    ),
    432: (
        "protection tripped",
        "protection group {got} reached a limit; its orders are refused until it is reset",
    ),
    433: (
        "protection out of range",
        "a group is 1 to 255, a window 1 ms to 1 hour, a freeze at most 1 day, a limit below 2^62:"
        " {got} is not within {allowed}",
    ),
    501: (
        "signature length",
        "the signature has {got} bytes; r, s and v are {allowed}",
    ),
    502: (
        "signature high s",
        "s lies in the upper half of the curve's order; negate it and flip v",
    ),
    503: ("signature wrong v", "v is {got}; use 27 or 28"),
    504: ("signature zero", "r or s is zero; sign the digest"),
    505: ("signature unrecoverable", "no key can have made this signature"),
    506: (
        "wrong signer",
        "the signature is not by the owner or a session key of account {got}",
    ),
    507: (
        "session key expired",
        "the session key was valid until {got}; it is now {allowed}",
    ),
    601: (
        "margin",
        "initial margin would be short by {got} micro-USDC; the excess is {allowed}",
    ),
    602: (
        "too many positions",
        "account {got} holds {allowed} positions, the most there can be",
    ),
    603: (
        "too many lots",
        "gross lots, orders included, would be {got}; at most {allowed}",
    ),
    604: ("withdrawal too large", "{got} micro-USDC asked; {allowed} are free"),
    605: ("no marks", "instrument {got} has no mark yet; wait for the first mark update"),
    606: (
        "amount out of range",
        "amount {got}; it must be 1 to {allowed} micro-USDC",
    ),
    607: (
        "too many open orders",
        "{got} orders are open; at most {allowed} may be",
    ),
    608: (
        "message already used",
        "a message with this hash was taken before; change the salt",
    ),
    610: (
        "beyond price band",
        "limit price {got} is too far on the aggressive side of the mark; up to {allowed} is taken",
    ),
    611: ("order too large", "{got} lots; one order has at most {allowed} here"),
    612: (
        "too many orders a second",
        "account {got} sends orders too fast; retry in {allowed} ms",
    ),
    613: (
        "unknown margin model",
        "margin model {got}; the last is {allowed}",
    ),
    614: ("unknown risk tier", "risk tier {got}; the last is {allowed}"),
    615: (
        "too little equity for portfolio margin",
        "equity is {got} micro-USDC; portfolio margin needs {allowed}",
    ),
    616: (
        "risk tier below the least",
        "risk tier {got}; the operator asks for at least {allowed}",
    ),
    617: (
        "margin under this model",
        "initial margin there would be short by {got} micro-USDC; the excess here is {allowed}",
    ),
    620: (
        "in liquidation",
        "account {got} is being liquidated (status {allowed}): it may deposit and cancel",
    ),
    621: ("not auctioned", "account {got} has nothing in auction now"),
    622: ("own auction", "account {got} is of the bidder's own owner"),
    623: (
        "share out of range",
        "a share of at most {got} millionths; it is 1 to {allowed}, and no less than the least",
    ),
    624: (
        "auction share too small",
        "at least {got} millionths are asked; {allowed} can be had in whole lots",
    ),
    625: (
        "auction price above limit",
        "the portfolio costs {got} micro-USDC now; the bid says at most {allowed}",
    ),
    626: (
        "marks too old",
        "the last marks are of {got}; nothing is decided by marks before {allowed} (Unix seconds)",
    ),
    640: ("transfer to itself", "account {got} would give to itself"),
    641: (
        "other owner",
        "account {got} has another owner than account {allowed}; withdraw and deposit instead",
    ),
    642: ("lots not held", "{got} lots asked; the account has {allowed} on that side"),
    643: (
        "transfer too large",
        "{got} micro-USDC to move; the account can spare {allowed}",
    ),
    644: (
        "giver short of margin",
        "the giver's initial margin would be short by {got} micro-USDC; its excess is {allowed}",
    ),
    645: (
        "receiver short of margin",
        "the receiver's initial margin would be short by {got} micro-USDC; its excess is {allowed}",
    ),
    650: ("asset number", "asset {got}; collateral has a number from 1 to {allowed}"),
    651: ("asset out of bounds", "field {got} of the asset is out of bounds"),
    652: (
        "asset is fixed",
        "asset {got} is listed with another name, other decimals or of another kind",
    ),
    653: (
        "asset not for sale",
        "asset {got} is not listed, has no index yet, or what it is worth does not trade now",
    ),
    654: ("collateral not free", "{got} micro-units asked; {allowed} are free"),
    655: (
        "not in debt",
        "the debtor's cash is {got} micro-USDC; collateral is for sale below {allowed}",
    ),
    656: (
        "too little received",
        "{got} micro-units would be received; at least {allowed} are wanted",
    ),
    657: ("debtor worse", "the debtor's excess would be {got}; it is {allowed}"),
    658: ("cash short", "{got} micro-USDC would be paid; {allowed} are there"),
    659: ("own debt", "account {got} cannot buy its own collateral"),
    701: ("inbox out of order", "inbox entry {got}; the next is {allowed}"),
    702: ("listing out of order", "number {got}; the next to list is {allowed}"),
    703: (
        "mark out of bounds",
        "mark of expiry {got} is out of bounds (parameter {allowed})",
    ),
    704: ("already settled", "expiry {got} has a settlement price"),
    705: ("not yet expired", "expiry at {got}; it is {allowed} (Unix seconds)"),
    706: ("nothing to cut", "no record since batch {got}"),
    707: ("batch out of order", "batch {got}; the next to confirm is {allowed}"),
    708: (
        "specification out of bounds",
        "field {got} of the specification is out of bounds",
    ),
    709: ("genesis", "a journal begins with one Genesis command and has no second"),
    710: ("not linear", "instrument {got} is not a perpetual"),
    720: (
        "oracle not armed",
        "underlying {got} takes no price reports: its marks come from the operator",
    ),
    721: (
        "not a reporter",
        "whoever signed this is none of the {allowed} reporters of underlying {got}",
    ),
    722: (
        "wrong decimals",
        "the report has {got} decimals; {allowed} are registered for its reporter",
    ),
    723: (
        "report already taken",
        "report {got} does not follow the reporter's last one, {allowed}",
    ),
    724: (
        "report older than the last",
        "observed at {got}, before the reporter's last report, {allowed} (Unix milliseconds)",
    ),
    725: (
        "report from the future",
        "observed at {got}; the latest that is taken now is {allowed} (Unix milliseconds)",
    ),
    726: (
        "report stale",
        "observed at {got}; the oldest that is taken now is {allowed} (Unix milliseconds)",
    ),
    727: (
        "report out of bounds",
        "expiry {got} (65535: the index) has parameter {allowed} out of its bounds",
    ),
    728: (
        "forward off",
        "the forward of expiry {got} is {allowed} (1e-4) away from the report's index",
    ),
    729: (
        "smile with arbitrage",
        "the smile of expiry {got} can be traded against itself at strike {allowed} micro-USDC",
    ),
    731: (
        "oracle armed",
        "the marks of underlying {got} come from its oracle of {allowed} reporters",
    ),
    740: (
        "sample not seen",
        "sample {got} micro-USDC; the index in force at its minute was {allowed}",
    ),
    741: ("open interest", "instrument {got} is held: {allowed} lots are open"),
    742: ("already ending", "instrument {got} ends, or ended, at {allowed}"),
    743: (
        "end too soon",
        "an end at {got}; the earliest that can be announced now is {allowed} (Unix seconds)",
    ),
    744: (
        "end not announced",
        "nobody announced the end of instrument {got}, or it is delisted already",
    ),
    750: (
        "funding is armed",
        "the funding of instrument {got} follows its premium; nobody sets it",
    ),
    751: ("fees out of bounds", "field {got} of the fee schedule is out of bounds"),
    801: ("venue stopping", "the exchange stops; when it is back, ask what was taken"),
    802: ("venue busy", "{got} messages are waiting; retry in {allowed} ms"),
}
