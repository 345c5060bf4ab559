"""Settlement: what is signed, what is hashed, what is posted.

`signed_messages`, `account_messages`, `signature`   EIP-712 messages, who signed them
`records`, `ledger`, `batch`     state changes as records, the state that they make, batches
`tree`, `leaves`, `inbox`        roots, leaves, what came in through the Vault
`genesis`                        the state before the first batch
`contracts`, `chain`, `node`     the contracts, and a chain to talk to (I/O; all else is pure)
"""
