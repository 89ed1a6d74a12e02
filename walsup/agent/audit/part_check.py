"""Checks that all parts of a base backup are in the archive, within the agent's memory limit."""

from walsup.agent.audit import rounds
from walsup.agent.context import AgentContext
from walsup.archive.catalog import backup_parts, inventory
from walsup.archive.catalog.base_backups import Backup
from walsup.archive.storage.bucket import Bucket


async def missing(context: AgentContext, bucket: Bucket, backup: Backup) -> tuple[str, ...]:
    """Return the parts of a base backup that the archive lacks.

    A list of files that is too large for the agent is read by the audit's process.

    Raises:
        what the bucket raises; ValueError: the list cannot be read; FaultError: the process failed.
    """
    name, compressed_bytes = backup.name, backup.compressed_bytes
    if await inventory.metadata_bytes(bucket, name) <= backup_parts.MOST_WHOLE_BYTES:
        return await inventory.missing_parts(bucket, name, compressed_bytes)
    return await rounds.missing_parts(context, name, compressed_bytes)
