"""S3's documents, as several servers write them."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.archive.storage.s3.document import OddAnswerError, XmlDocument, below, moment
from walsup.archive.wipe import s3_documents
from walsup.archive.wipe.s3_documents import Deleting
from walsup.archive.wipe.target import Entry, Upload

SPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def _versions(*rows: str, more: str = "") -> XmlDocument:
    text = f'<ListVersionsResult xmlns="{SPACE}">{more}{"".join(rows)}</ListVersionsResult>'
    return XmlDocument(text.encode(), "ListVersionsResult")


def _row(kind: str, key: str, version: str = "v1", latest: str = "true", size: int = 7) -> str:
    return (
        f"<{kind}><Key>{key}</Key><VersionId>{version}</VersionId><IsLatest>{latest}</IsLatest>"
        f"<LastModified>2026-11-27T08:57:21.000Z</LastModified><Size>{size}</Size></{kind}>"
    )


def test_versions_and_delete_markers() -> None:
    """Both are entries; a server that quotes keys says so."""
    page = _versions(
        _row("Version", "db/a%2Bb+c", "v2"),
        _row("DeleteMarker", "db/x", "v3", "false", 0),
        more="<EncodingType>url</EncodingType><Prefix>db/</Prefix>",
    )
    at = moment("2026-11-27T08:57:21Z")
    assert s3_documents.entries(page, "db/") == [
        Entry("a+b c", 7, at, "v2"),
        Entry("x", 0, at, "v3", latest=False, marker=True),
    ]
    plain = _versions(_row("Version", "db/a%2Bb+c", "null"))
    assert s3_documents.entries(plain, "db/")[0].key == "a%2Bb+c"
    assert page.following() == {}


@pytest.mark.parametrize("key", ["db2/x", "db", "d", "other/db/x", "/db/x"])
@pytest.mark.rule("wipe")
def test_a_key_that_was_not_asked_for_is_not_believed(key: str) -> None:
    """A server that ignores the prefix would have everything deleted."""
    with pytest.raises(OddAnswerError, match="asked for keys below db/"):
        s3_documents.entries(_versions(_row("Version", key)), "db/")
    with pytest.raises(OddAnswerError):
        below("db", "db2/x")


def test_the_next_page() -> None:
    """What has to be asked next; a listing that breaks off without a word is no end."""
    cut = "<IsTruncated>true</IsTruncated>"
    page = _versions(
        more=f"{cut}<EncodingType>url</EncodingType><NextKeyMarker>db%2Fx</NextKeyMarker>"
        "<NextVersionIdMarker>v%20</NextVersionIdMarker>"
    )
    assert page.following() == {"key-marker": "db/x", "version-id-marker": "v%20"}
    with pytest.raises(OddAnswerError, match="cut off"):
        _versions(more=cut).following()


def test_uploads() -> None:
    """Key, name and time."""
    text = (
        "<ListMultipartUploadsResult><Upload><Key>db/u</Key><UploadId>n</UploadId>"
        "<Initiated>2026-11-27T08:57:21Z</Initiated></Upload></ListMultipartUploadsResult>"
    )
    at = moment("2026-11-27T08:57:21Z")
    assert s3_documents.uploads(XmlDocument(text.encode()), "db/") == [Upload("u", "n", at)]


@pytest.mark.parametrize("body", [b"", b"<html>", b"ok", b"<ListBucketResult/>"])
def test_another_answer_is_odd(body: bytes) -> None:
    """A proxy's page, or a server that knows no versions and shows objects instead."""
    with pytest.raises(OddAnswerError):
        XmlDocument(body, "ListVersionsResult")


@given(
    st.lists(st.tuples(st.text(min_size=1).filter(s3_documents.fits), st.text("abc01")), min_size=1)
)
def test_what_is_to_be_deleted_is_named_exactly(objects: list[tuple[str, str]]) -> None:
    """A parser reads the keys that were meant."""
    written = s3_documents.deletion([Deleting(*one) for one in objects])
    rows = ET.fromstring(written).findall(f"{{{SPACE}}}Object")  # noqa: S314 (ours)
    read = [
        (row.findtext(f"{{{SPACE}}}Key"), row.findtext(f"{{{SPACE}}}VersionId") or "")
        for row in rows
    ]
    assert read == objects


@pytest.mark.parametrize("key", ["a\x01b", "a\rb", "a\nb", "\ufffe"])
def test_a_key_that_no_xml_can_name(key: str) -> None:
    """It is deleted by a request of its own."""
    assert not s3_documents.fits(key)
