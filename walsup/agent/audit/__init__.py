"""The audit of the agent's archive: rounds, contents, repairs, the ledger."""
