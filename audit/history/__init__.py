"""A ledger of the updates of a stack, from any backend, as a hash chain."""
