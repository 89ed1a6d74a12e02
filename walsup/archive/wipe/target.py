"""Where an archive lies, as the wiping of it sees the place: everything in it, and how it goes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

AGAIN = "again"  # no code of a server's


class Entry(NamedTuple):
    """One thing that a listing shows; `key` is relative to the archive's prefix.

    `version` "": the place has none. `latest`: nothing newer stands over it. `marker`: it says
    that its key was deleted, and holds nothing. `modified_at`: Unix seconds, by the server's clock.
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
    """What the server said about one entry that it did not delete."""

    entry: Entry
    code: str
    message: str


class Lock(NamedTuple):
    """Why an object may not be deleted. `until`: the end of its retention, "": a legal hold."""

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
        """The time of its last answer, in Unix seconds, by the clock that `modified_at` has."""

    def entries(self, under: str = "") -> Iterator[list[Entry]]:
        """Yield everything whose key begins so, old versions and delete markers too, in pages."""

    def names(self) -> Iterator[list[Entry]]:
        """Yield what a plain listing shows, asked independently of `entries`."""

    def uploads(self) -> Iterator[list[Upload]]:
        """Yield the unfinished multipart uploads, in pages."""

    def upload_bytes(self, upload: Upload) -> int:
        """Return what an unfinished upload holds."""

    def batches(self, entries: Sequence[Entry]) -> list[Sequence[Entry]]:
        """Split a page into what one request can delete."""

    def delete(self, entries: Sequence[Entry]) -> list[Refused]:
        """Delete a batch; gives what was not deleted. AGAIN: it has to be batched again."""

    def abort(self, upload: Upload) -> None:
        """Throw an unfinished upload away."""

    def locks(self) -> bool | None:
        """Return whether anything here can be locked; None: that may not be asked."""

    def lock(self, entry: Entry) -> Lock | None:
        """Return what keeps an entry from being deleted."""

    def tidy(self) -> None:
        """Remove what is left when everything in it has been deleted, such as empty directories."""

    def close(self) -> None:
        """Let go of connections."""
