"""The parts that a list of files names, read in two ways."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.archive import partlist

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["TarFileSets", '"TarFileSets":{', 'a"b', "c\\", "part_001.tar.zst", "[", "}"]
)
_FILES = st.dictionaries(_NAMES, st.fixed_dictionaries({"MTime": _NAMES, "IsSkipped": st.none()}))
_PARTS = st.dictionaries(_NAMES, st.lists(_NAMES, max_size=4) | st.none(), min_size=1)


@given(_FILES, _PARTS, st.sampled_from([None, 1]))
def test_a_long_list_is_read_as_a_short_one(
    files: dict[str, object], parts: dict[str, object], indent: int | None
) -> None:
    """Whatever the files are called, with and without blanks."""
    told = {"Files": files, "TarFileSets": parts, "DatabasesByNames": {"TarFileSets": {}}}
    content = json.dumps(told, indent=indent).encode()
    assert partlist.names(content, 0) == partlist.names(content)


@pytest.mark.parametrize(
    "content",
    [
        b"garbage",
        b'{"Files":{}}',
        b'{"TarFileSets":{"part_001.tar.zst":["a"',
        b'{"TarFileSets":{"part_001.tar.zst":["a"}',
        b'{"TarFileSets":{"part_001.tar.zst":"a"}}',
        b'{"TarFileSets":{"part_001.tar.zst":[1]}}',
    ],
)
def test_a_long_list_that_is_damaged_cannot_be_read(content: bytes) -> None:
    """It never counts as one that names no parts."""
    with pytest.raises(ValueError, match=r"cut off|names no parts"):
        partlist.names(content, 0)
