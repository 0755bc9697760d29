"""All writes of the taps room, a module a topic: `plan`, `apply`, `advance`, `undo`, `ledger` and the admin's switches."""
