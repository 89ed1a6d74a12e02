"""Listings as entries, and the document that names what to delete. Pure.

Source: Amazon S3's API reference (ListObjectVersions, ListMultipartUploads, DeleteObjects).
"""

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from walsup.archive.storage.s3.document import XmlDocument, below, moment
from walsup.archive.wipe.target import Entry, Upload


class Deleting(NamedTuple):
    """One object of a DeleteObjects request: a whole key, and a version or ""."""

    key: str
    version: str


def entries(page: XmlDocument, prefix: str) -> list[Entry]:
    """Return a listing's objects, versions and delete markers; keys lose the prefix.

    Raises:
        OddAnswerError: a key is not below the prefix: this server's listing cannot be trusted.
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
        for name, fields in page.rows("Version", "DeleteMarker", "Contents", with_=("Key",))
    ]


def uploads(page: XmlDocument, prefix: str) -> list[Upload]:
    """Return a listing's multipart uploads.

    Raises:
        OddAnswerError: as `entries` does.
    """
    return [
        Upload(
            below(prefix, fields["Key"]), fields["UploadId"], moment(fields.get("Initiated", ""))
        )
        for _, fields in page.rows("Upload", with_=("Key", "UploadId"))
    ]


def deletion(objects: Sequence[Deleting]) -> bytes:
    """Return a DeleteObjects request that is answered with failures only."""
    rows = "".join(
        f"<Object><Key>{escape(one.key)}</Key>"
        + (f"<VersionId>{escape(one.version)}</VersionId>" if one.version else "")
        + "</Object>"
        for one in objects
    )
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<Delete xmlns="{space}">{rows}<Quiet>true</Quiet></Delete>'.encode()


def fits(key: str) -> bool:
    """Return whether such a request can contain a key: XML 1.0 has no control characters."""
    return all(character >= " " and character not in "\ufffe\uffff" for character in key)
