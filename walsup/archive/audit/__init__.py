"""The audit of an archive by listing: what it still holds, compared with what it has to hold.

`scope` says what is looked for, `walwalk` and `backupwalk` compare listings with it in bounded
memory, `worker` lists in a separate process, `found` carries what was found to the agent.
"""
