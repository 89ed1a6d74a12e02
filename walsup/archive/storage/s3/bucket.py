"""The bucket on an S3 server: small objects, listings, conditional writes."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager

from walsup.archive.storage.bucket import ConflictError, Listed, ListingPage, Object, PagedListing
from walsup.archive.storage.s3.document import (
    OddAnswerError,
    XmlDocument,
    below,
    clock,
    moment,
    whole_number,
)
from walsup.archive.storage.s3.exchange import Reply
from walsup.archive.storage.s3.failures import RefusedError
from walsup.archive.storage.s3.progress import ListingProgress
from walsup.archive.storage.s3.server import Call, S3Server
from walsup.archive.valid_keys import is_direct
from walsup.settings import ArchiveUrl, Settings

# The largest objects are a page of a listing (1,000 keys, 0.5 MB) and a sentinel.
REQUEST_TIMEOUT_S = 5.0
# Except for a base backup's list of files: 140 bytes for each file.
_LIST_OF_FILES = "/files_metadata.json"
_LIST_TIMEOUT_S = 50.0
_MOST_LIST_BYTES = 256 << 20
_IN_PART, _PAST_THE_END = 206, 416
_MOST_REFUSAL_BYTES = 1 << 16
_PAGE = "1000"
_LISTS, _READS, _WRITES = "s3:ListBucket", "s3:GetObject", "s3:PutObject"
# A condition that does not hold; two conditional writes at the same time.
_LOST = (412, 409)


class S3Bucket(PagedListing):
    """The archive's prefix on an S3 server.

    Raises FaultError, whose problem names the permission that the request needed; ConflictError for
    a conditional write that failed; FileNotFoundError for an object that does not exist.
    """

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; nothing is read and no request is made.

        Raises:
            ValueError: the archive is not a bucket on a server.
        """
        if not isinstance(settings.archive, ArchiveUrl):
            raise ValueError("the archive is not in a bucket")  # noqa: TRY004 (a wrong value)
        self._server = S3Server(settings, settings.archive)
        self._prefix = f"{settings.archive.prefix}/"

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    @property
    def region(self) -> str | None:
        """Return where it is: as set, or found with a first request; None on other servers."""
        return self._server.region

    async def get(self, key: str) -> Object:
        """Read a complete small object."""
        call, timeout_s = Call("GET", _READS, key=self._prefix + key), REQUEST_TIMEOUT_S
        if key.endswith(_LIST_OF_FILES):
            call, timeout_s = call._replace(most_bytes=_MOST_LIST_BYTES), _LIST_TIMEOUT_S
        with _absence():
            answer = await self._server.ask(call, timeout_s)
        return Object(
            content=answer.body,
            etag=answer.headers.get("etag", ""),
            changed_at=clock(answer.headers.get("last-modified", "")),
        )

    def now(self) -> float:
        """Return the server's time, from its last answer (Unix seconds); 0: not known."""
        return self._server.now()

    async def put(self, key: str, content: bytes) -> None:
        """Write an object, also over an existing one."""
        await self._write(key, content, {})

    async def piece(self, key: str, begin: int, size_bytes: int) -> bytes:
        """Read a part of an object; one that begins at or after its end is empty."""
        headers = {"range": f"bytes={begin}-{begin + size_bytes - 1}"}
        most_bytes = size_bytes + _MOST_REFUSAL_BYTES
        call = Call("GET", _READS, key=self._prefix + key, headers=headers, most_bytes=most_bytes)
        try:
            with _absence():
                answer = await self._server.ask(call, REQUEST_TIMEOUT_S)
        except RefusedError as refusal:
            if refusal.status == _PAST_THE_END:
                return b""
            raise
        # A server that does not support ranges returns the whole object.
        return answer.body if answer.status == _IN_PART else answer.body[begin:]

    async def create(self, key: str, content: bytes) -> str:
        """Write an object that must not exist (If-None-Match); return its tag."""
        return await self._write(key, content, {"if-none-match": "*"})

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Replace the version that has this tag (If-Match); return the new tag."""
        return await self._write(key, content, {"if-match": etag})

    async def pages(self, under: str, after: str = "") -> AsyncIterator[ListingPage]:
        """Yield a folder's listing, continued after a key, one request a page."""
        query = self._listing(under) | {"delimiter": "/"}
        query |= {"start-after": self._prefix + after} if after else {}
        progress = ListingProgress(after)
        while query:
            document = _page(await self._server.ask(_list(query), REQUEST_TIMEOUT_S))
            page = self._shown(under, query, document)
            yield progress.check(page)
            query = progress.following(query, _following(query, document))

    async def tree(self, under: str, after: str = "") -> AsyncIterator[Sequence[Listed]]:
        """Yield everything below a folder in the order of keys, one request a page."""
        query = self._listing(under)
        query |= {"start-after": self._prefix + after} if after else {}
        progress = ListingProgress(after)
        while query:
            document = _page(await self._server.ask(_list(query), REQUEST_TIMEOUT_S))
            rows = tuple(row for row in self._rows(query, document) if not row.key.endswith("/"))
            yield progress.check(ListingPage(rows)).objects
            query = progress.following(query, _following(query, document))

    def first_key_now(self, under: str) -> str:
        """Return one key under a folder, "" when a successful listing finds none. Blocks."""
        query, progress = self._listing(under), ListingProgress("")
        while query:
            document = _page(self._server.ask_now(_list(query), REQUEST_TIMEOUT_S))
            for listed in self._rows(query, document):  # also a folder's marker
                return listed.key
            query = progress.following(query, _following(query, document))
        return ""

    async def settle(self, _key: str) -> bool:
        """Return that a listed object is complete: S3 lists no other."""
        return True

    async def torn(self, _under: str, _after: str) -> list[str]:
        """Return that there is no partial object."""
        return []

    async def discard_torn(self, _key: str) -> bool:
        """Return that there is no partial object to remove."""
        return False

    async def probe(self, _size_bytes: int) -> None:
        """Do nothing: a bucket has no size, and a push will report missing permissions."""

    async def _write(self, key: str, content: bytes, condition: Mapping[str, str]) -> str:
        call = Call("PUT", _WRITES, key=self._prefix + key, body=content, headers=condition)
        try:
            with _absence():
                answer = await self._server.ask(call, REQUEST_TIMEOUT_S)
        except RefusedError as refused:
            if condition and refused.status in _LOST:
                raise ConflictError(str(refused)) from refused
            raise
        return answer.headers.get("etag", "")

    def _listing(self, under: str) -> dict[str, str]:
        prefix = f"{self._prefix}{under}/"
        return {"list-type": "2", "max-keys": _PAGE, "prefix": prefix, "encoding-type": "url"}

    def _shown(self, under: str, query: Mapping[str, str], document: XmlDocument) -> ListingPage:
        """Return what a page shows, even if the server ignores the delimiter."""
        rows = tuple(row for row in self._rows(query, document) if is_direct(under, row.key))
        folders = []
        for _, row in document.rows("CommonPrefixes", with_=("Prefix",)):
            below(query["prefix"], row["Prefix"])
            folders.append(row["Prefix"].removeprefix(self._prefix))
        return ListingPage(rows, tuple(folders))

    def _rows(self, query: Mapping[str, str], document: XmlDocument) -> Iterator[Listed]:
        for _, row in document.rows("Contents", with_=("Key", "LastModified")):
            below(query["prefix"], row["Key"])  # keys that were not requested are ignored
            key = row["Key"].removeprefix(self._prefix)
            size_bytes, changed_at = whole_number(row.get("Size", "")), moment(row["LastModified"])
            yield Listed(key, size_bytes, changed_at, row.get("StorageClass", ""))


def _list(query: Mapping[str, str]) -> Call:
    return Call("GET", _LISTS, query)


def _page(answer: Reply) -> XmlDocument:
    return XmlDocument(answer.body, "ListBucketResult")


def _following(query: Mapping[str, str], page: XmlDocument) -> dict[str, str]:
    """Return the next page's query, {} after the last.

    Raises:
        OddAnswerError: the page does not say whether there is one; as `Document.following` does.
    """
    if page.text("IsTruncated").lower() not in ("true", "false"):
        raise OddAnswerError("the server does not say whether its listing is complete")
    return page.following(query)


@contextmanager
def _absence() -> Iterator[None]:
    """Raise what any bucket raises for an object that does not exist."""
    try:
        yield
    except RefusedError as refused:
        # Not every 404: it may be the page of another program.
        if refused.code == "NoSuchKey":
            raise FileNotFoundError(str(refused)) from refused
        raise
