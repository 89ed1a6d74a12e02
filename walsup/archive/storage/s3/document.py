"""S3's documents: the content of its answers. Pure.

Source: Amazon S3's API reference (Error, ListObjectsV2, ListObjectVersions, ListMultipartUploads,
ListParts).
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from urllib.parse import unquote_plus

from walsup.archive.faults import Fault, FaultError, FaultKind

# Which elements of an answer become which parameters of the next request, by listing kind.
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
    """The server's answer is not what was requested."""

    def __init__(
        self, problem: str, kind: FaultKind = FaultKind.SERVER_ERROR, *, remedy: str = ""
    ) -> None:
        super().__init__(Fault(kind, problem, remedy))


class XmlDocument:
    """An answer's XML, in any namespace."""

    def __init__(self, body: bytes, kind: str = "") -> None:
        """`kind`: the name that it must have.

        Raises:
            OddAnswerError: this is not such a document.
        """
        try:
            # expat 2.4.1 and newer limits the size of entities; Python 3.11 has that.
            self._root = ET.fromstring(body)  # noqa: S314 (see above)
        except (ET.ParseError, LookupError, ValueError) as raised:  # also: an unknown encoding
            problem = f"the server's answer is not XML: {raised}"
            raise OddAnswerError(problem, FaultKind.NO_S3_SERVER) from raised
        self.kind = _plain(self._root.tag)
        if kind:
            self.must_be(kind)
        self._quoted = _text(self._root, "EncodingType").lower() == "url"

    def must_be(self, kind: str) -> None:
        """Reject another kind of document.

        Raises:
            OddAnswerError: it is another kind.
        """
        if self.kind != kind:
            problem = f"the server answers {self.kind[:40]}, not {kind}"
            raise OddAnswerError(problem, FaultKind.NO_S3_SERVER)

    def text(self, name: str) -> str:
        """Return the text of the first element of this name, anywhere in it."""
        found = (one.text or "" for one in self._root.iter() if _plain(one.tag) == name)
        return next(found, "")

    def rows(
        self, *names: str, with_: Sequence[str] = ()
    ) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield name and fields of the elements with these names, in their order.

        Raises:
            OddAnswerError: a required field is missing.
        """
        for one in self._root:
            if (name := _plain(one.tag)) in names:
                fields = {_plain(field.tag): field.text or "" for field in one}
                if lacking := [name for name in with_ if name not in fields]:
                    raise OddAnswerError(f"{self.kind} has a row without {', '.join(lacking)}")
                if self._quoted:
                    quoted = [name for name in ("Key", "Prefix") if name in fields]
                    fields |= {name: unquote_plus(fields[name]) for name in quoted}
                yield name, fields

    def following(self, query: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
        """Return the query for the page after that of this query, {} on the last one.

        Raises:
            OddAnswerError: there is a next page, but no query for it, or the same query again.
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
            raise OddAnswerError(f"{self.kind} is cut off, and does not say where it continues")
        if found.items() <= query.items():
            raise OddAnswerError("the server's listing repeats the same page without end")
        return {**query, **found}


def below(prefix: str, key: str) -> str:
    """Return a key without the prefix that it must have.

    Raises:
        OddAnswerError: it has another prefix: this server's listing cannot be trusted.
    """
    if not prefix.endswith("/") or not key.startswith(prefix):
        raise OddAnswerError(f"asked for keys below {prefix}, the server shows {key}")
    return key.removeprefix(prefix)


def moment(text: str) -> float:
    """Return a time of a document in Unix seconds, 0.0 when there is none.

    Raises:
        OddAnswerError: this is not a time.
    """
    try:
        return datetime.fromisoformat(text).timestamp() if text else 0.0
    except ValueError as raised:
        raise OddAnswerError(f"the server's time is not valid: {text[:40]}") from raised


def clock(text: str) -> float:
    """Return a header's time in Unix seconds, 0.0 when it is absent or not a time."""
    try:
        return parsedate_to_datetime(text).timestamp() if text else 0.0
    except ValueError:
        return 0.0


def whole_number(text: str) -> int:
    """Return a size in bytes, -1 when there is none.

    Raises:
        OddAnswerError: this is not a size.
    """
    if not text:
        return -1
    if not (text.isascii() and text.isdecimal()):
        raise OddAnswerError(f"the server gives a size that is not a number: {text[:40]}")
    return int(text)


def _text(element: ET.Element, name: str) -> str:
    return next((one.text or "" for one in element if _plain(one.tag) == name), "")


def _plain(tag: str) -> str:
    return tag.rpartition("}")[2]
