"""A former primary's directory: what is kept of it, and how it is emptied (S19)."""

import gzip
import re
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.archive.ownership.test_admission import OWNER
from tests.unit.postgres.controlbytes import control_file, pgdata_with
from walsup.agent.recovery.tablespace_directories import TablespaceLocks
from walsup.archive.ownership.role import StepDown, ThisInstance
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.directory_bucket import FileBucket
from walsup.boot.standby import demote, diverged_wal
from walsup.errors import DataDirectoryError
from walsup.postgres.tablespaces import locations
from walsup.postgres.wal_files.pages import PAGE_BYTES
from walsup.settings import FileArchive, load

SIZE = 1 << 20
OWN = ThisInstance(system_id=7, instance="ab" * 16, timeline=1)
FORK = StepDown(2, 3 * SIZE + 100)


def _segment(pg_wal: Path, number: int, pages: int, timeline: int = 1) -> None:
    head = (
        struct.pack("<HHIQ", 0xD110, 0, timeline, number * SIZE + n * PAGE_BYTES)
        for n in range(pages)
    )
    content = b"".join(page.ljust(PAGE_BYTES, b"\1") for page in head)
    (pg_wal / f"{timeline:08X}00000000{number:08X}").write_bytes(content.ljust(SIZE, b"\0"))


@pytest.mark.rule("role-from-the-archive")
async def test_what_lies_behind_the_fork_is_brought_away(tmp_path: Path) -> None:
    """Written pages only, and under no key that WAL-G would take for WAL (S6c)."""
    pg_wal = tmp_path / "data" / "pg_wal"
    pg_wal.mkdir(parents=True)
    for number, pages in ((2, SIZE // PAGE_BYTES), (3, SIZE // PAGE_BYTES), (4, 2), (5, 0)):
        _segment(pg_wal, number, pages)
    (tmp_path / "archive").mkdir()
    bucket = FileBucket(FileArchive(directory=str(tmp_path / "archive")))
    for _ in range(2):  # as after a start that was cut off
        assert await diverged_wal.bring(bucket, tmp_path / "data", OWN, FORK, SIZE) == 2
    folders = [f async for page in bucket.pages(diverged_wal.FOLDER) for f in page.folders]
    keys = [key for folder in folders async for key in bucket.keys(folder.rstrip("/"))]
    assert not any(re.search("[0-9A-F]{24}", key.upper()) for key in keys)
    parts = [key for key in keys if ".00000004." in key]
    content = b"".join([gzip.decompress((await bucket.get(key)).content) for key in parts])
    bucket.close()
    assert content == (pg_wal / "000000010000000000000004").read_bytes()[: 2 * PAGE_BYTES]


# Each makes the engine encrypt, or says that the archive is encrypted.
ENCRYPTION = (
    {"WALG_LIBSODIUM_KEY": "7c" * 32},
    {"WALE_LIBSODIUM_KEY": "7c" * 32},
    {"WALG_LIBSODIUM_KEY_PATH": "/absent/key"},
    {"WALG_PGP_KEY": "x"},
    {"WALE_PGP_KEY": "x"},
    {"WALG_PGP_KEY_PATH": "/absent/key"},
    {"WALG_GPG_KEY_ID": "DEADBEEF"},
    {"WALE_GPG_KEY_ID": "DEADBEEF"},
    {"WALG_ENVELOPE_PGP_KEY": "x"},
    {"WALG_ENVELOPE_PGP_KEY_PATH": "/absent/key"},
    {"WALG_ENVELOPE_PGP_YC_CSE_KMS_KEY_ID": "x"},
    {"WALG_CSE_KMS_ID": "x"},
    {"WALE_CSE_KMS_ID": "x"},
    {"WALG_YC_CSE_KMS_KEY_ID": "x"},
    {"YC_CSE_KMS_KEY_ID": "x"},
    {"WALG_S3_SSE_C": "x"},
)


@pytest.mark.rule("role-from-the-archive")
@pytest.mark.parametrize("given", ENCRYPTION, ids="".join)
def test_an_encrypted_archive_gets_nothing_in_the_clear(given: dict[str, str]) -> None:
    """A person copies it. The key file need not exist: what it says does not matter here."""
    with pytest.raises(DataDirectoryError, match="encrypted"):
        diverged_wal.check(load(given), "")


@pytest.mark.rule("role-from-the-archive")
def test_what_the_owner_encrypts_gets_nothing_in_the_clear() -> None:
    """Also where this instance's own settings have no key."""
    with pytest.raises(DataDirectoryError, match="encrypted"):
        diverged_wal.check(load({}), "libsodium:0123456789abcdef")
    for unencrypted in ("", "none"):
        diverged_wal.check(load({"WALG_LIBSODIUM_KEY_TRANSFORM": "hex"}), unencrypted)


@pytest.mark.rule("role-from-the-archive")
async def test_the_owner_object_says_how_the_archive_is_encrypted(tmp_path: Path) -> None:
    """An archive without one says nothing."""
    bucket = FileBucket(FileArchive(directory=str(tmp_path)))
    assert await diverged_wal.encryption(bucket) == ""
    encrypted = replace(OWNER, encryption="openpgp:0123456789abcdef")
    await bucket.create(OWNER_KEY, encrypted.to_json())
    assert await diverged_wal.encryption(bucket) == encrypted.encryption
    bucket.close()


def _former_primary(base: Path) -> tuple[Path, Path, Path]:
    """Return a data directory whose WAL and whose tablespace are elsewhere, and these two."""
    pgdata, wal, space = (base / name for name in ("data", "wal", "space"))
    for directory in (pgdata / "pg_xact", pgdata / "pg_tblspc", wal):
        directory.mkdir(parents=True)
    (space / "PG_15_202209061").mkdir(parents=True)
    (pgdata_with(pgdata, control_file()) / "PG_VERSION").write_text("15\n")
    (pgdata / "pg_wal").symlink_to(wal)
    (pgdata / "pg_tblspc" / "16384").symlink_to(space)
    (wal / "000000010000000000000001").touch()
    return pgdata, wal, space


def _ran(pgdata: Path) -> TablespaceLocks:
    """Hold the locks that its agent holds, which leaves its marks."""
    held = TablespaceLocks(pgdata)
    held.hold_wal()
    assert held.hold(locations.links(pgdata)) == []
    return held


@pytest.mark.rule("role-from-the-archive")
def test_emptying_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    """Nothing in between looks like a database; what lies outside is emptied too."""
    pgdata, wal, space = _former_primary(tmp_path)
    _ran(pgdata).release()
    (pgdata / ".walsup-rebuild").touch()
    shutil.rmtree(pgdata / "global")
    assert demote.is_due(pgdata)
    demote.empty(pgdata)
    assert not demote.is_due(pgdata)
    assert [*pgdata.iterdir(), *wal.iterdir(), *space.iterdir()] == []


@pytest.mark.parametrize("runs", [True, False])
@pytest.mark.parametrize("link", ["pg_wal", "pg_tblspc/16384"])
@pytest.mark.rule("role-from-the-archive")
def test_a_copy_empties_nothing_of_its_original(tmp_path: Path, link: str, *, runs: bool) -> None:
    """Its links lead there; the original has run since, or runs, or it is not known."""
    pgdata, wal, space = _former_primary(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(pgdata, copy, symlinks=True)
    other = {"pg_wal": "pg_tblspc/16384", "pg_tblspc/16384": "pg_wal"}[link]
    (copy / other).unlink()
    with pytest.raises(DataDirectoryError, match="it is not known which data directory"):
        demote.empty(copy)
    held = _ran(pgdata)
    if not runs:
        held.release()
    with pytest.raises(DataDirectoryError) as raised:
        demote.empty(copy)
    expected = "another running server" if runs else "another data directory has used it since"
    assert expected in raised.value.problem
    assert "it holds" in raised.value.problem
    assert (copy / "global" / "pg_control").exists()
    assert not demote.is_due(copy)
    assert (wal / "000000010000000000000001").exists()
    assert (space / "PG_15_202209061").exists()
    held.release()


@pytest.mark.rule("role-from-the-archive")
def test_the_files_of_another_version_in_a_tablespace_are_kept(tmp_path: Path) -> None:
    """Two servers of different versions may share its directory."""
    pgdata, _, space = _former_primary(tmp_path)
    _ran(pgdata).release()
    (space / "PG_14_202107181").mkdir()
    with pytest.raises(DataDirectoryError, match="several servers"):
        demote.empty(pgdata)
    assert (space / "PG_14_202107181").exists()
