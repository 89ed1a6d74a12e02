"""The roles of a real cluster, read from its files."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.harness import Machine
from walsup.postgres.superuser import _in_block, bootstrap_role, has_md5_password, roles


@pytest.fixture
def whole(machine: Machine, cluster: Path) -> Iterator[Path]:
    """A whole copy of the cluster, which a server may change."""
    folder = Path(mkdtemp(prefix="walsup-unit-"))
    shutil.copytree(cluster, folder / "data", symlinks=True)
    for path in (folder, *folder.rglob("*")):
        machine.give_to_database(path)
    yield folder / "data"
    shutil.rmtree(folder)


def single(machine: Machine, pgdata: Path, *statements: str) -> None:
    """Run statements without a server; a checkpoint follows."""
    user = machine.db_user or None
    subprocess.run(
        [str(machine.bindir / "postgres"), "--single", "-D", str(pgdata), "postgres"],
        input="\n".join(statements) + "\n",
        check=True,
        capture_output=True,
        text=True,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        env={"LC_ALL": "C"},
        cwd="/",
    )


def test_the_role_that_initdb_made(machine: Machine, whole: Path) -> None:
    """Its name is read, and after a renaming, beside many other roles, the new one."""
    before = bootstrap_role(whole)
    assert before == "postgres"
    others = [f"create role other_{n} login" for n in range(200)]
    # A session's own role cannot be renamed with ALTER ROLE.
    rename = "update pg_authid set rolname = 'Häuptling 1' where oid = 10"
    single(machine, whole, *others, rename)
    assert bootstrap_role(whole) == "Häuptling 1"
    assert {"Häuptling 1", "other_0", "other_199"} <= set(roles(whole).values())
    assert before not in roles(whole).values()
    single(machine, whole, "vacuum full pg_authid")
    assert bootstrap_role(whole) == "Häuptling 1"


def test_an_md5_password_is_seen(machine: Machine, whole: Path) -> None:
    """SCRAM cannot check one, so the method of pg_hba.conf depends on it."""
    assert not has_md5_password(whole)
    single(machine, whole, "create role a password 'scram-only'")
    assert not has_md5_password(whole)
    single(machine, whole, "set password_encryption = 'md5'", "create role b password 'x'")
    assert has_md5_password(whole)


def test_what_cannot_be_read_names_nobody(pgdata: Path) -> None:
    """No file, a file of another kind, an old version: no name, and no exception."""
    (pgdata / "global" / "pg_filenode.map").write_bytes(b"\0" * 512)
    assert bootstrap_role(pgdata) is None
    assert has_md5_password(pgdata)
    (pgdata / "global" / "pg_filenode.map").unlink()
    assert bootstrap_role(pgdata) is None
    (pgdata / "PG_VERSION").write_text("11\n")
    assert roles(pgdata) == {}


@given(st.binary(min_size=1, max_size=200))
def test_any_block_is_read_without_an_exception(piece: bytes) -> None:
    """A torn block, or one of another relation."""
    list(_in_block((piece * 8192)[:8192]))
