"""A prefix means the same keys to walsup and to the engine, or is rejected by name."""

import json
import os
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup import settings
from walsup.archive.engine import prefixes
from walsup.archive.engine.adapter import Engine, choose, render
from walsup.archive.faults import Fault
from walsup.errors import SettingsError
from walsup.settings import ArchiveUrl

_PREFIX = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\t"), min_size=1)


@given(_PREFIX)
def test_walg_decodes_what_is_rendered_into_the_prefix(prefix: str) -> None:
    """Percent signs, question marks and number signs too."""
    place = ArchiveUrl(bucket="b", prefix=prefix)
    text = prefixes.rendered(place, prefixes.WALG).removeprefix("s3://b/")
    assert not {"?", "#"} & set(text)
    assert unquote(text) == prefix


@given(_PREFIX)
def test_walrus_is_given_the_prefix_as_it_is(prefix: str) -> None:
    """It decodes nothing."""
    place = ArchiveUrl(bucket="b", prefix=prefix)
    assert prefixes.rendered(place, prefixes.WALRUS) == f"s3://b/{prefix}"


@pytest.mark.parametrize("character", "&<>\"'")
def test_what_walrus_loses_in_a_listing_is_rejected_by_name(character: str) -> None:
    """WAL-G reads such keys; a directory is not listed as XML."""
    known = settings.load({"WALSUP_ARCHIVE": f"s3://b/t/a{character}b"})
    found = prefixes.refusal(known.archive, prefixes.WALRUS)
    assert found is not None
    assert found.kind == "engine unable"
    assert f"has {character} in its prefix" in found.problem
    assert prefixes.refusal(known.archive, prefixes.WALG) is None
    known = settings.load({"WALSUP_ARCHIVE": f"file:///t/a{character}b"})
    assert prefixes.refusal(known.archive, prefixes.WALRUS) is None


@pytest.mark.parametrize(
    "prefix", ["a+b", "a=b", "a:b", "a@b", "a*b", "ü/日", "a.b/c_d-e", "a,b;c"]
)
def test_what_both_engines_carry_is_not_rejected(prefix: str) -> None:
    """And rendered alike, so that each reads the other's configuration."""
    known = settings.load({"WALSUP_ARCHIVE": f"s3://b/{prefix}"})
    assert isinstance(known.archive, ArchiveUrl)
    for engine in (prefixes.WALG, prefixes.WALRUS):
        assert prefixes.refusal(known.archive, engine) is None
        text = render(
            known, engine=engine, compression="lz4", socket_dir="/", port=1, segment_bytes=1 << 24
        )
        assert json.loads(text)["WALG_S3_PREFIX"] == f"s3://b/{prefix}"


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("a\ufffeb", r"U\+FFFE"),
        ("a\udcffb", r"U\+DCFF"),
        ("ü" * 451, "its prefix has 902 bytes: 900 is the most"),
    ],
)
def test_what_no_key_can_have_is_rejected_by_name(prefix: str, said: str) -> None:
    """In a listing, or together with the names that engines give their objects."""
    with pytest.raises(SettingsError, match=said):
        settings.load({"WALSUP_ARCHIVE": f"s3://b/{prefix}"})


def test_the_engine_that_would_lose_keys_is_not_chosen(tmp_path: object) -> None:
    """`choose` gives the fault, also for the source of a restore."""
    program = f"{tmp_path}/walrus"
    with open(program, "w", opener=_executable) as file:
        file.write("#!/bin/sh\n")
    known = settings.load({"WALSUP_ARCHIVE": "s3://b/x", "WALSUP_RESTORE_FROM": "s3://b/a&b"})
    assert isinstance(choose(known, str(tmp_path)), Engine)
    assert known.source is not None
    assert isinstance(choose(known.source, str(tmp_path)), Fault)


def _executable(path: str, flags: int) -> int:
    return os.open(path, flags, 0o755)
