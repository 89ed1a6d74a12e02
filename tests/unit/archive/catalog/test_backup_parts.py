"""A base backup's list of files, read in pieces of any size."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.archive.catalog.backup_parts import ListedFile, PartList
from walsup.postgres.wal import strip_extension

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["TarFileSets", '"TarFileSets":{', 'a"b', "c\\", "part_001.tar.zst", "[", "}"]
)
_FILES = st.dictionaries(
    _NAMES, st.fixed_dictionaries({"IsSkipped": st.none(), "MTime": _NAMES, "Size": st.integers()})
)
_PARTS = st.dictionaries(_NAMES, st.lists(_NAMES, max_size=4) | st.none())


def _read(content: bytes, piece_bytes: int) -> tuple[set[str], list[ListedFile]]:
    found, held = PartList(), list[ListedFile]()
    for at in range(0, len(content), piece_bytes):
        held += found.feed(content[at : at + piece_bytes])
    found.end()
    return found.parts, held


def _held(parts: dict[str, list[str] | None]) -> Iterable[ListedFile]:
    for part, files in parts.items():
        yield from (ListedFile(strip_extension(part), file.lstrip("/")) for file in files or ())


@given(_FILES, _PARTS, st.sampled_from([None, 1]), st.integers(1, 40), st.booleans())
def test_it_is_read_as_json_has_it(
    files: dict[str, object],
    parts: dict[str, list[str] | None],
    indent: int | None,
    piece_bytes: int,
    is_ascii: bool,  # noqa: FBT001 (hypothesis gives it so)
) -> None:
    """Whatever the files are called, with and without blanks, wherever it is cut in two."""
    told = {"Files": files, "TarFileSets": parts, "DatabasesByNames": {"TarFileSets": {}}}
    content = json.dumps(told, indent=indent, ensure_ascii=is_ascii).encode()
    assert _read(content, piece_bytes) == (
        {strip_extension(part) for part in parts},
        list(_held(parts)),
    )


@pytest.mark.parametrize("content", [b'{"Files":{}}', b'{"TarFileSets":null,"Files":{}}', b"{}"])
def test_one_that_names_no_parts_has_none(content: bytes) -> None:
    """As that of an engine which was asked for no list."""
    assert _read(content, 3) == (set(), [])


@pytest.mark.parametrize("piece_bytes", [1, 4, 4096])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b'"a"',
        b"[]",
        b'{"Files":{}',
        b'{"Files":{"a":1]}',
        b'{"Files":{}}}',
        b'{"Files":{}}"a',
        b'{"TarFileSets":{"part_001.tar.zst":["a"',
        b'{"TarFileSets":{"part_001.tar.zst":["a"}',
        b'{"TarFileSets":{"part_001.tar.zst":"a"}}',
        b'{"TarFileSets":{"part_001.tar.zst":{}}}',
        b'{"TarFileSets":{"part_001.tar.zst":[1]}}',
        b'{"TarFileSets":{"part_001.tar.zst":[["a"]]}}',
        b'{"TarFileSets":[]}',
    ],
)
def test_one_that_is_damaged_cannot_be_read(content: bytes, piece_bytes: int) -> None:
    """It never counts as one that names no parts."""
    with pytest.raises(ValueError, match=r"not a list|no end|cut off|no parts|other than|brackets"):
        _read(content, piece_bytes)
