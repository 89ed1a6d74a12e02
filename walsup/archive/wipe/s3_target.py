"""The archive in a bucket: every version, delete marker and unfinished upload below its prefix."""

from collections.abc import Iterator, Sequence

from walsup.archive.faults import FaultKind
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.s3.document import XmlDocument, moment
from walsup.archive.storage.s3.failures import RefusedError
from walsup.archive.storage.s3.server import Call
from walsup.archive.wipe import s3_documents
from walsup.archive.wipe.retry import persistently
from walsup.archive.wipe.s3_documents import Deleting
from walsup.archive.wipe.s3_server import WipeServer
from walsup.archive.wipe.target import AGAIN, Entry, Lock, Refused, Upload
from walsup.settings import ArchiveUrl

_PAGE = 1000  # the most that S3 lists, and deletes, at once
_NO_LOCK = (400, 404, 405)
_URL = {"encoding-type": "url"}


class Objects:
    """Everything whose key begins with the prefix and a slash; nothing else is ever named."""

    kept: tuple[str, ...] = (OWNER_KEY,)

    def __init__(self, server: WipeServer, archive: ArchiveUrl, page: int = _PAGE) -> None:
        """Keep the settings; no request is made. `page`: how many entries a request lists.

        Raises:
            ValueError: the prefix is empty; then everything in the bucket would be below it.
        """
        if not archive.prefix:
            raise ValueError("the archive is the whole bucket")
        self._server = server
        self._prefix = f"{archive.prefix}/"
        self._page = str(page)
        self.shows_versions = True
        self._in_bulk = True

    @property
    def now_at(self) -> float:
        """Return the time of the server's last answer, by its own clock."""
        return self._server.now_at

    def entries(self, under: str = "") -> Iterator[list[Entry]]:
        """Yield all versions and delete markers; on a server without versions, all objects."""
        pages = self._versioned(under) if self.shows_versions else iter(())
        for page in pages:
            yield s3_documents.entries(page, self._prefix)
        if not self.shows_versions:
            yield from self._plain(under)

    def names(self) -> Iterator[list[Entry]]:
        """Yield what a plain listing shows."""
        return self._plain("")

    def uploads(self) -> Iterator[list[Upload]]:
        """Yield the unfinished uploads; a server without such a listing has none to show."""
        query = {"uploads": "", "max-uploads": self._page} | _URL
        call = Call("GET", "s3:ListBucketMultipartUploads", query)
        try:
            for page in self._pages(call, "ListMultipartUploadsResult", ""):
                yield s3_documents.uploads(page, self._prefix)
        except RefusedError as refused:
            # rclone 1.75 says NoSuchUpload when there is none at all.
            if not refused.cannot and refused.code != "NoSuchUpload":
                raise

    def upload_bytes(self, upload: Upload) -> int:
        """Return the total size of its parts."""
        call = Call(
            "GET",
            "s3:ListMultipartUploadParts",
            {"uploadId": upload.name},
            self._prefix + upload.key,
        )
        found = 0
        while True:
            try:
                page = self._read(call, "ListPartsResult")
            except RefusedError as refused:
                if refused.code == "NoSuchUpload" or refused.cannot:
                    return found
                raise
            found += sum(int(fields.get("Size") or 0) for _, fields in page.rows("Part"))
            if not (following := page.following(call.query)):
                return found
            call = call._replace(query=following)

    def batches(self, entries: Sequence[Entry]) -> list[Sequence[Entry]]:
        """Return what a request can name together, then each of the others alone."""
        together = [one for one in entries if self._in_bulk and s3_documents.fits(one.key)]
        named = set(together)
        return [*([together] if together else []), *([o] for o in entries if o not in named)]

    def delete(self, entries: Sequence[Entry]) -> list[Refused]:
        """Delete a batch of `batches`, with one request."""
        if not self._in_bulk or not all(s3_documents.fits(one.key) for one in entries):
            return self._delete_one(entries[0])
        try:
            return self._delete(entries)
        except RefusedError as answer:
            if not answer.cannot:
                raise
        self._in_bulk = False
        return [Refused(one, AGAIN, "") for one in entries]

    def abort(self, upload: Upload) -> None:
        """Abort an upload; one that is already missing counts as aborted."""
        query = {"uploadId": upload.name}
        key = self._prefix + upload.key
        try:
            self._server.ask(Call("DELETE", "s3:AbortMultipartUpload", query, key))
        except RefusedError as refused:
            if refused.code != "NoSuchUpload":
                raise

    def locks(self) -> bool | None:
        """Return whether the bucket has object lock."""
        call = Call("GET", "s3:GetBucketObjectLockConfiguration", {"object-lock": ""})
        try:
            return self._read(call).text("ObjectLockEnabled") == "Enabled"
        except RefusedError as refused:
            return None if refused.fault.kind == FaultKind.NO_RIGHTS else False

    def lock(self, entry: Entry) -> Lock | None:
        """Return the retention of an entry, or its legal hold."""
        if entry.marker:
            return None
        found = self._about(entry, "s3:GetObjectRetention", "retention")
        if found and (mode := found.text("Mode")):
            until = found.text("RetainUntilDate")
            if moment(until) > self._server.now_at:
                return Lock(mode.lower(), until)
        found = self._about(entry, "s3:GetObjectLegalHold", "legal-hold")
        return Lock("legal hold") if found and found.text("Status") == "ON" else None

    def tidy(self) -> None:
        """Do nothing: a bucket has no directories."""

    def close(self) -> None:
        """End the connections."""
        self._server.close()

    def _versioned(self, under: str) -> Iterator[XmlDocument]:
        """Yield a listing of versions; nothing, with a note, if the server does not support it."""
        query = {"versions": "", "max-keys": self._page} | _URL
        pages = self._pages(Call("GET", "s3:ListBucketVersions", query), "", under)
        try:
            for page in pages:
                # A server that does not support this parameter lists its objects.
                if page.kind == "ListBucketResult":
                    self.shows_versions = False
                    return
                page.must_be("ListVersionsResult")
                yield page
        except RefusedError as refused:
            if not refused.cannot:
                raise
            self.shows_versions = False

    def _plain(self, under: str) -> Iterator[list[Entry]]:
        query = {"list-type": "2", "max-keys": self._page} | _URL
        for page in self._pages(Call("GET", "s3:ListBucket", query), "ListBucketResult", under):
            yield s3_documents.entries(page, self._prefix)

    def _pages(self, call: Call, kind: str, under: str) -> Iterator[XmlDocument]:
        call = call._replace(query={**call.query, "prefix": self._prefix + under})
        while True:
            page = self._read(call, kind)
            yield page
            if not (following := page.following(call.query)):
                return
            call = call._replace(query=following)

    def _delete(self, entries: Sequence[Entry]) -> list[Refused]:
        asked = {Deleting(self._prefix + one.key, one.version): one for one in entries}
        call = Call("POST", "s3:DeleteObject", {"delete": ""}, body=s3_documents.deletion([*asked]))
        answer = self._server.document(call, "DeleteResult")
        refused = []
        for _, fields in answer.rows("Error"):
            named = Deleting(fields.get("Key", ""), fields.get("VersionId", ""))
            # An entry that cannot be distinguished counts as the first of its key: none is dropped.
            same_key = (one for key, one in asked.items() if key.key == named.key)
            entry = asked.get(named) or next(same_key, entries[0])
            refused.append(Refused(entry, fields.get("Code", ""), fields.get("Message", "")))
        return refused

    def _delete_one(self, entry: Entry) -> list[Refused]:
        query = {"versionId": entry.version} if entry.version else {}
        try:
            self._server.ask(Call("DELETE", "s3:DeleteObject", query, self._prefix + entry.key))
        except RefusedError as refused:
            if refused.fault.kind == FaultKind.NO_RIGHTS:
                return [Refused(entry, refused.code, "")]
            if refused.status != 404:  # noqa: PLR2004 (HTTP: not found)
                raise
        return []

    def _read(self, call: Call, kind: str = "") -> XmlDocument:
        """Repeat the request while that helps: a broken listing must not look like a short one."""
        return persistently(lambda: self._server.document(call, kind))

    def _about(self, entry: Entry, right: str, what: str) -> XmlDocument | None:
        query = {what: ""} | ({"versionId": entry.version} if entry.version else {})
        try:
            return self._read(Call("GET", right, query, self._prefix + entry.key))
        except RefusedError as refused:
            if refused.status in _NO_LOCK or refused.cannot:
                return None
            raise
