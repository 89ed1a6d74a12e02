"""The sub-path of an archive, after a new cluster was created beside the old one.

Noted in the old archive, so that a second loss neither creates a third cluster nor restores the
first, and in the data directory, so that later starts need not ask.
"""

import asyncio
import json
import os

from walsup.archive.storage.bucket import Bucket, open_bucket
from walsup.archive.storage.fault_mapping import is_absent, is_conflict
from walsup.settings import Settings

KEY = "walsup/moved.json"
_NAME_BYTES = 4  # eight digits; 24 look like WAL to WAL-G's delete (rule archive-names)


def find_now(bucket: Bucket) -> str:
    """Return the sub-path in which the archive continues, "" when it has not moved. Blocks.

    Raises:
        what the bucket raises; ValueError, KeyError: the note cannot be read.
    """
    return asyncio.run(_read(bucket))


def move_now(known: Settings) -> str:
    """Note a new sub-path, or take the one that was noted meanwhile. Blocks.

    Raises:
        what the bucket raises.
    """
    return asyncio.run(_move(open_bucket(known)))


async def _move(bucket: Bucket) -> str:
    sub = f"again-{os.urandom(_NAME_BYTES).hex()}"
    try:
        await bucket.create(KEY, json.dumps({"to": sub}).encode())
    except Exception as raised:
        if not is_conflict(raised):
            raise
        return await _read(bucket)
    return sub


async def _read(bucket: Bucket) -> str:
    try:
        return str(json.loads((await bucket.get(KEY)).content)["to"])
    except FileNotFoundError as raised:
        if not is_absent(raised):
            raise
        return ""
