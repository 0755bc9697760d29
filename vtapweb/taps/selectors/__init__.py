"""Reads of the taps room, a module a topic: `writes`, `facts`, `verdicts`, `conditions`, changes and the ledger."""
