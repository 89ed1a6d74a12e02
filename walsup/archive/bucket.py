"""The archive's place as this project needs it, whether S3 or a directory keeps it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from walsup.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """An object's whole content with the tag that a conditional write names."""

    content: bytes
    etag: str


class Bucket(Protocol):
    """The archive's prefix in its bucket; keys are relative to it.

    Every method raises what its client raises; `classify` says what it means. Nothing is
    retried here: the loops know how long they can wait.
    """

    async def get(self, key: str) -> Object:
        """Read a small object whole."""

    async def create(self, key: str, content: bytes) -> str:
        """Write an object that must not exist; gives its tag."""

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Write over the version that has this tag; gives the new tag."""

    def keys(self, under: str, after: str = "") -> AsyncIterator[str]:
        """Give the keys under a folder in order, continued after a key; all pages of them."""

    async def folder(self, under: str) -> list[tuple[str, float]]:
        """Give key and time of last change (Unix seconds) of what lies directly in a folder."""

    def first_key_now(self, under: str) -> str:
        """Give one key under a folder, "" when a successful listing finds none. Blocks."""


def open_bucket(settings: Settings) -> Bucket:
    """Give the bucket that the settings name; no request is made.

    Raises:
        ValueError: no archive is configured.
    """
    from walsup.archive.store import S3Bucket  # noqa: PLC0415 (obstore: 8 MB, where it is used)

    return S3Bucket(settings)
