"""Up to which moment an archive goes, as its owner has proven it."""

from dataclasses import replace

from walsup.archive.catalog import owner_object
from walsup.archive.owner_record import Owner
from walsup.archive.storage.bucket import Object, Readable


async def owner(bucket: Readable) -> Owner | None:
    """Return the owner object, None when there is none: an archive of another program's.

    Raises:
        what the bucket raises; ValueError: it cannot be read.
    """
    found = await owner_object.stored(bucket)
    return read(found) if found else None


def read(found: Object) -> Owner:
    """Read an owner object.

    It is not believed to be complete until later than it was written, by the bucket's own time:
    its writer's clock may have been ahead.

    Raises:
        ValueError: it cannot be read.
    """
    owner = Owner.from_json(found.content)
    if not 0 < found.changed_at < owner.complete_until:
        return owner
    return replace(owner, complete_until=found.changed_at)
