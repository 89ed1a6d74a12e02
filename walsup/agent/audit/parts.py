"""Whether all parts of a base backup are in the archive, within the memory that the agent has."""

from walsup.agent.audit import rounds
from walsup.agent.world import World
from walsup.archive import partlist, survey
from walsup.archive.bucket import Bucket
from walsup.archive.catalog import Backup


async def missing(world: World, bucket: Bucket, backup: Backup) -> tuple[str, ...]:
    """Return what of a base backup's parts is not in the archive.

    A list of files that is too large for the agent is read by the audit's process.

    Raises:
        what the bucket raises; ValueError: the list cannot be read; FaultError: the process failed.
    """
    name, compressed_bytes = backup.name, backup.compressed_bytes
    if await survey.metadata_bytes(bucket, name) <= partlist.MOST_WHOLE_BYTES:
        return await survey.missing_parts(bucket, name, compressed_bytes)
    return await rounds.missing_parts(world, name, compressed_bytes)
