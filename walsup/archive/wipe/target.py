"""The storage of an archive, as a wipe uses it: its entries, and their deletion."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

AGAIN = "again"  # not a server's code


class Entry(NamedTuple):
    """An entry of a listing; `key` is relative to the archive's prefix.

    `version` "": the place has none. `latest`: nothing newer replaces it. `marker`: it records that
    its key was deleted, and has no content. `modified_at`: Unix seconds, by the server's clock.
    """

    key: str
    size_bytes: int
    modified_at: float
    version: str = ""
    latest: bool = True
    marker: bool = False


class Upload(NamedTuple):
    """A multipart upload that was begun and neither completed nor aborted."""

    key: str
    name: str
    begun_at: float


class Refused(NamedTuple):
    """The server's answer about one entry that it did not delete."""

    entry: Entry
    code: str
    message: str


class Lock(NamedTuple):
    """Why an object cannot be deleted. `until`: the end of its retention, "": a legal hold."""

    mode: str
    until: str = ""

    def __str__(self) -> str:
        return f"under {self.mode} retention until {self.until}" if self.until else self.mode


class WipeTarget(Protocol):
    """What a wipe needs of a bucket's prefix or a directory. Every method blocks.

    `kept`: keys of the owner object's own, which go last, in this order. `shows_versions`: False
    when a listing has shown that the server cannot list old versions.
    """

    kept: tuple[str, ...]
    shows_versions: bool

    @property
    def now_at(self) -> float:
        """Return the time of its last answer, in Unix seconds, by the clock of `modified_at`."""

    def entries(self, under: str = "") -> Iterator[list[Entry]]:
        """Yield everything below the prefix, old versions and delete markers too, in pages."""

    def names(self) -> Iterator[list[Entry]]:
        """Yield what a plain listing shows, requested independently of `entries`."""

    def uploads(self) -> Iterator[list[Upload]]:
        """Yield the unfinished multipart uploads, in pages."""

    def upload_bytes(self, upload: Upload) -> int:
        """Return the size of an unfinished upload."""

    def batches(self, entries: Sequence[Entry]) -> list[Sequence[Entry]]:
        """Split a page into what one request can delete."""

    def delete(self, entries: Sequence[Entry]) -> list[Refused]:
        """Delete a batch; return what was not deleted. AGAIN: it has to be batched again."""

    def abort(self, upload: Upload) -> None:
        """Abort an unfinished upload."""

    def locks(self) -> bool | None:
        """Return whether anything here can be locked; None: permission is missing."""

    def lock(self, entry: Entry) -> Lock | None:
        """Return what prevents the deletion of an entry."""

    def tidy(self) -> None:
        """Remove what is left after all is deleted, such as empty directories."""

    def close(self) -> None:
        """Close the connections."""
