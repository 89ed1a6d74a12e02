"""The fingerprint of the encryption key: the same for the same key, and no key in it."""

from pathlib import Path

import pytest

from walsup.archive.engine import encryption_key
from walsup.archive.faults import FaultError
from walsup.settings import load

KEY = "6b" * 32
BASE = {"WALSUP_ARCHIVE": "s3://bucket/prefix"}


def _of(**given: str) -> str:
    return encryption_key.fingerprint(load(BASE | given), 7)


def test_no_key_is_none() -> None:
    """A transform alone encrypts nothing, and what the server decrypts is readable to all."""
    assert _of() == "none"
    assert _of(WALG_LIBSODIUM_KEY_TRANSFORM="hex", WALG_S3_SSE="AES256") == "none"
    assert _of(WALG_LIBSODIUM_KEY="") == "none"


def test_a_key_that_moves_into_a_file_is_the_same(tmp_path: Path) -> None:
    """Whichever setting names it."""
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    inline = _of(WALG_LIBSODIUM_KEY=KEY)
    assert inline.startswith("libsodium:")
    assert inline == _of(WALG_LIBSODIUM_KEY_PATH=str(path))
    assert inline == _of(WALG_LIBSODIUM_KEY=KEY, WALG_LIBSODIUM_KEY_TRANSFORM="none")
    assert KEY[:8] not in inline


@pytest.mark.parametrize(
    "given",
    [
        {"WALG_LIBSODIUM_KEY": "7c" * 32},
        {"WALG_LIBSODIUM_KEY": KEY, "WALG_LIBSODIUM_KEY_TRANSFORM": "hex"},
        {"WALG_PGP_KEY": KEY},
        {"WALG_PGP_KEY": KEY, "WALG_PGP_KEY_PASSPHRASE": "weak"},
        {"WALE_GPG_KEY_ID": "DEADBEEF"},
        {"WALG_CSE_KMS_ID": "arn:aws:kms:key"},
        {"WALG_CSE_KMS_ID": "arn:aws:kms:key", "WALG_CSE_KMS_REGION": "eu-north-1"},
        {"WALG_YC_CSE_KMS_KEY_ID": "abc"},
        {"WALG_ENVELOPE_PGP_KEY": KEY},
        {"WALG_S3_SSE_C": KEY},
        {},
    ],
)
def test_another_key_or_method_is_another(given: dict[str, str]) -> None:
    """Each decides whether yesterday's objects can be read."""
    assert _of(**given) != _of(WALG_LIBSODIUM_KEY=KEY)


def test_the_same_key_of_another_cluster_looks_different() -> None:
    """The digest is salted: equal keys are not told by equal fingerprints."""
    other = encryption_key.fingerprint(load(BASE | {"WALG_LIBSODIUM_KEY": KEY}), 8)
    assert _of(WALG_LIBSODIUM_KEY=KEY) != other


def test_a_key_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Neither engine could push."""
    with pytest.raises(FaultError, match=r"key file .*absent cannot be read"):
        _of(WALG_LIBSODIUM_KEY_PATH=str(tmp_path / "absent"))


def test_a_replaced_key_file_is_seen(tmp_path: Path) -> None:
    """Without reading it each second."""
    path = tmp_path / "key"
    path.write_text(KEY)
    known = load(BASE | {"WALG_LIBSODIUM_KEY_PATH": str(path)})
    before = encryption_key.key_files(known)
    assert before
    path.write_text("7c" * 31)
    assert encryption_key.key_files(known) != before
    path.unlink()
    assert not encryption_key.key_files(known)
