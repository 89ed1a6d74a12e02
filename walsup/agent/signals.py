"""What one loop of the agent asks of another: the events that they wait for."""

import asyncio


class Signals:
    """Events of one agent."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()  # PID 1 has begun a stop
        self.sweeping = asyncio.Event()  # postgres has ended: what is left in pg_wal is pushed now
        self.reopen = asyncio.Event()  # archiving has to be checked and enabled once more
        self.gap_found = asyncio.Event()  # the archive has a gap: a new base backup is due
        self.withdrawn = asyncio.Event()  # archiving has been disabled because of the owner object
        self.asked_to_reread = (
            asyncio.Event()
        )  # the bucket rejected the credentials: the secret files are read now
        self.rotated = asyncio.Event()  # new credentials are in use
        self.backup_refused = asyncio.Event()  # the bucket rejected a running base backup
        self.adopted = asyncio.Event()  # a command has changed the owner of the archive
        self.audit_wanted = asyncio.Event()  # a round of the audit is due at once
