"""S3's documents: listings read, and the one that names what to delete, written. Pure.

Source: Amazon S3's API reference (ListObjectVersions, ListObjectsV2, ListMultipartUploads,
ListParts, DeleteObjects, GetObjectRetention, GetObjectLegalHold).
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.sax.saxutils import escape

from walsup.archive.fault import Fault, FaultError
from walsup.archive.wipe.place import Entry, Upload

# Which of an answer's words become which of the next request's, by the listing's kind.
_CONTINUED = {
    "ListVersionsResult": {
        "NextKeyMarker": "key-marker",
        "NextVersionIdMarker": "version-id-marker",
    },
    "ListBucketResult": {"NextContinuationToken": "continuation-token"},
    "ListMultipartUploadsResult": {
        "NextKeyMarker": "key-marker",
        "NextUploadIdMarker": "upload-id-marker",
    },
    "ListPartsResult": {"NextPartNumberMarker": "part-number-marker"},
}
_KEYS = ("NextKeyMarker", "Prefix", "Key")


class OddAnswerError(FaultError):
    """The server has answered something else than what was asked for."""

    def __init__(self, problem: str) -> None:
        super().__init__(Fault("server error", problem))


class Document:
    """An answer's XML, whatever its namespace."""

    def __init__(self, body: bytes, kind: str = "") -> None:
        """`kind`: the name that it must have.

        Raises:
            OddAnswerError: it is no such document.
        """
        try:
            # expat of 2.4.1 and newer bounds what entities may grow to; Python 3.11 has that.
            self._root = ET.fromstring(body)  # noqa: S314 (see above)
        except ET.ParseError as raised:
            raise OddAnswerError(f"the server's answer is no XML: {raised}") from raised
        self.kind = _plain(self._root.tag)
        if kind:
            self.must_be(kind)
        self._quoted = _text(self._root, "EncodingType").lower() == "url"

    def must_be(self, kind: str) -> None:
        """Refuse another kind of document.

        Raises:
            OddAnswerError: it is one.
        """
        if self.kind != kind:
            raise OddAnswerError(f"the server answers {self.kind}, not {kind}")

    def text(self, name: str) -> str:
        """Give the text of the first element of this name, anywhere in it."""
        found = (one.text or "" for one in self._root.iter() if _plain(one.tag) == name)
        return next(found, "")

    def rows(self, *names: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Give name and fields of the elements with these names, in their order."""
        for one in self._root:
            if (name := _plain(one.tag)) in names:
                fields = {_plain(field.tag): field.text or "" for field in one}
                if self._quoted and "Key" in fields:
                    fields["Key"] = unquote_plus(fields["Key"])
                yield name, fields

    def following(self) -> dict[str, str]:
        """Give what the request for the next page says, {} on the last one.

        Raises:
            OddAnswerError: there is more, and it is not told how to ask for it.
        """
        if self.text("IsTruncated").lower() != "true":
            return {}
        words = _CONTINUED.get(self.kind, {})
        found = {
            asked: unquote_plus(value) if self._quoted and name in _KEYS else value
            for name, asked in words.items()
            if (value := _text(self._root, name))
        }
        if not found:
            raise OddAnswerError(f"{self.kind} is cut off, and does not say where it goes on")
        return found


class Deleting(NamedTuple):
    """One object of a DeleteObjects request: a whole key, and a version or ""."""

    key: str
    version: str


def entries(page: Document, prefix: str) -> list[Entry]:
    """Give a listing's objects, versions and delete markers; keys lose the prefix.

    Raises:
        OddAnswerError: one does not lie below the prefix: this server's listing is not believed.
    """
    return [
        Entry(
            key=below(prefix, fields["Key"]),
            size_bytes=int(fields.get("Size") or 0),
            modified_at=moment(fields.get("LastModified", "")),
            version=fields.get("VersionId", ""),
            latest=fields.get("IsLatest", "true").lower() == "true",
            marker=name == "DeleteMarker",
        )
        for name, fields in page.rows("Version", "DeleteMarker", "Contents")
    ]


def uploads(page: Document, prefix: str) -> list[Upload]:
    """Give a listing's multipart uploads.

    Raises:
        OddAnswerError: as `entries` does.
    """
    return [
        Upload(
            below(prefix, fields["Key"]), fields["UploadId"], moment(fields.get("Initiated", ""))
        )
        for _, fields in page.rows("Upload")
    ]


def below(prefix: str, key: str) -> str:
    """Give a key without the prefix that it must have."""
    if not prefix.endswith("/") or not key.startswith(prefix):
        raise OddAnswerError(f"asked for keys below {prefix}, the server shows {key}")
    return key.removeprefix(prefix)


def deletion(objects: Sequence[Deleting]) -> bytes:
    """Write a DeleteObjects request that is answered with failures only."""
    rows = "".join(
        f"<Object><Key>{escape(one.key)}</Key>"
        + (f"<VersionId>{escape(one.version)}</VersionId>" if one.version else "")
        + "</Object>"
        for one in objects
    )
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<Delete xmlns="{space}">{rows}<Quiet>true</Quiet></Delete>'.encode()


def fits(key: str) -> bool:
    """Tell whether a key can be written into such a request: XML 1.0 has no control characters."""
    return all(character >= " " and character not in "\ufffe\uffff" for character in key)


def moment(text: str) -> float:
    """Give a time of a document in Unix seconds, 0.0 when there is none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _text(element: ET.Element, name: str) -> str:
    return next((one.text or "" for one in element if _plain(one.tag) == name), "")


def _plain(tag: str) -> str:
    return tag.rpartition("}")[2]
