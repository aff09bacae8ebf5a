"""Relational state: intents, ledger, quarantine, alerts. SQLite by default."""
