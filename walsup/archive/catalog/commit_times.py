"""Until which commit time an archive is complete, as its owner has verified it."""

from dataclasses import replace

from walsup.archive.catalog import owner_object
from walsup.archive.owner_record import Owner
from walsup.archive.storage.bucket import Object, Readable


async def owner(bucket: Readable) -> Owner | None:
    """Return the owner object. None: there is none, the archive is another program's.

    Raises:
        what the bucket raises; ValueError: it cannot be read.
    """
    found = await owner_object.stored(bucket)
    return read(found) if found else None


def read(found: Object) -> Owner:
    """Read an owner object.

    Its `complete_until` is limited to the time when it was written, by the bucket's clock: its
    writer's clock may have been ahead.

    Raises:
        ValueError: it cannot be read.
    """
    owner = Owner.from_json(found.content)
    if not 0 < found.changed_at < owner.complete_until:
        return owner
    return replace(owner, complete_until=found.changed_at)
