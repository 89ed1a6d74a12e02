"""What the agent does about the audit of its archive: rounds, contents, repairs, the ledger."""
