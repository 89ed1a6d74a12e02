"""The audit of an archive by listing: what it still holds, compared with what it has to hold.

`walsup.archive.catalog.scope` says what is looked for, `wal_walk` and `backup_walk` compare
listings with it in bounded memory, `worker` lists in a separate process, and `findings` carries
the result to the agent.
"""
