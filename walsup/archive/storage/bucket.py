"""The protocol of the archive's storage, for S3 and for a directory."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from walsup.settings import FileArchive, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from walsup.archive.storage.directory_bucket import FileBucket
    from walsup.archive.storage.s3.bucket import S3Bucket


class ConflictError(Exception):
    """A conditional write failed: the object exists, or has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """An object's whole content with the tag that a conditional write names.

    `changed_at`: when it was written, by the server's clock (Unix seconds); 0: not known.
    """

    content: bytes
    etag: str
    changed_at: float = 0.0


# Source: Amazon S3's API reference, StorageClass: GetObject returns InvalidObjectState for these.
_UNREADABLE_CLASSES = ("GLACIER", "DEEP_ARCHIVE")


class Listed(NamedTuple):
    """An object in a listing. `size_bytes` -1: not known; `changed_at`: Unix seconds, 0: not known.

    The time is the server's clock, not this machine's. `storage_class`: as S3 names it, "": not
    known.
    """

    key: str
    size_bytes: int
    changed_at: float
    storage_class: str = ""

    @property
    def unreadable_class(self) -> str:
        """Return the storage class if it must be changed before the object can be read, else ""."""
        return self.storage_class if self.storage_class in _UNREADABLE_CLASSES else ""


class ListingPage(NamedTuple):
    """A page of a folder's listing: the objects directly in it, in the order of keys.

    `folders`: those in it, each with a slash at its end. Their content is not listed.
    """

    objects: tuple[Listed, ...]
    folders: tuple[str, ...] = ()


class Readable(Protocol):
    """The reading methods of `Bucket`."""

    @property
    def region(self) -> str | None: ...  # noqa: D102 (as Bucket has them)
    async def get(self, key: str) -> Object: ...  # noqa: D102
    async def piece(self, key: str, begin: int, size_bytes: int) -> bytes: ...  # noqa: D102
    def keys(self, under: str, after: str = "") -> AsyncIterator[str]: ...  # noqa: D102
    async def folder(self, under: str) -> list[tuple[str, float]]: ...  # noqa: D102
    def pages(self, under: str, after: str = "") -> AsyncIterator[ListingPage]: ...  # noqa: D102


class PagedListing(ABC):
    """What every bucket makes of the pages of a folder's listing."""

    @abstractmethod
    def pages(self, under: str, after: str = "") -> AsyncIterator[ListingPage]:
        """Yield a folder's listing, continued after a key, one request a page."""

    async def keys(self, under: str, after: str = "") -> AsyncIterator[str]:
        """Yield all keys directly in a folder in order, after a key."""
        async for page in self.pages(under, after):
            for listed in page.objects:
                yield listed.key

    async def folder(self, under: str) -> list[tuple[str, float]]:
        """Return key and time of last change (Unix seconds) of the objects directly in a folder."""
        return [
            (listed.key, listed.changed_at)
            async for page in self.pages(under)
            for listed in page.objects
        ]


class Bucket(Protocol):
    """The archive's prefix in its bucket; keys are relative to it.

    Every method raises what its client raises; `classify` gives the meaning. Nothing is retried
    here: the loops know how long they can wait.
    """

    @property
    def region(self) -> str | None:
        """Return where an S3 server has it: as set, or found with a first request."""

    async def get(self, key: str) -> Object:
        """Read a complete small object."""

    async def piece(self, key: str, begin: int, size_bytes: int) -> bytes:
        """Read a part of an object; one that begins at or after its end is empty."""

    async def create(self, key: str, content: bytes) -> str:
        """Write an object that must not exist; return its tag."""

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Replace the version that has this tag; return the new tag."""

    def keys(self, under: str, after: str = "") -> AsyncIterator[str]:
        """Yield all keys directly in a folder in order, after a key."""

    async def folder(self, under: str) -> list[tuple[str, float]]:
        """Return key and time of last change (Unix seconds) of the objects directly in a folder."""

    def pages(self, under: str, after: str = "") -> AsyncIterator[ListingPage]:
        """Yield a folder's listing, continued after a key, one request a page."""

    def tree(self, under: str, after: str = "") -> AsyncIterator[Sequence[Listed]]:
        """Yield everything below a folder in the order of keys, one request a page."""

    def now(self) -> float:
        """Return the server's time, from its last answer (Unix seconds); 0: not known."""

    def first_key_now(self, under: str) -> str:
        """Return one key under a folder, "" when a successful listing finds none. Blocks."""

    async def settle(self, key: str) -> bool:
        """Return whether a listed object is complete (S3 lists no other); make it durable."""

    async def torn(self, under: str, after: str) -> list[str]:
        """Return keys after `after` of unfinished objects that have not grown for 10 s."""

    async def discard_torn(self, key: str) -> bool:
        """Remove an unfinished object; return True when it has been removed."""

    async def probe(self, size_bytes: int) -> None:
        """Raise what a write of this size would raise, where that is known without one."""


def open_bucket(settings: Settings) -> "S3Bucket | FileBucket":
    """Return the bucket that the settings name; no request is made.

    Raises:
        ValueError: no archive is configured.
    """
    if isinstance(settings.archive, FileArchive):
        from walsup.archive.storage.directory_bucket import FileBucket  # noqa: PLC0415 (as below)

        return FileBucket(settings.archive)
    from walsup.archive.storage.s3.bucket import S3Bucket  # noqa: PLC0415 (h11, ssl: where it is used)

    return S3Bucket(settings)
