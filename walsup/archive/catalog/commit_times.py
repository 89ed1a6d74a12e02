"""Up to which moment an archive goes, as its owner has proven it."""

from dataclasses import replace

from walsup.archive.owner_record import Owner
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.bucket import Object, Readable
from walsup.archive.storage.fault_mapping import is_absent


async def owner(bucket: Readable) -> Owner | None:
    """Give the owner object, None when there is none: an archive of another program's.

    Raises:
        what the bucket raises; ValueError: it cannot be read.
    """
    try:
        found = await bucket.get(OWNER_KEY)
    except FileNotFoundError as raised:
        if not is_absent(raised):
            raise
        return None
    return read(found)


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
