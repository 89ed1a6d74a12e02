"""pg_control as PostgreSQL itself writes and reads it."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.harness import Machine
from walsup.postgres.pg_control import DBState, read
from walsup.postgres.wal import Segment, long_page_header, parse_lsn

BINDIR = Machine.load().bindir


def run(program: str, *arguments: str | Path) -> str:
    """Run one of PostgreSQL's programs as a user that it accepts."""
    as_root = os.geteuid() == 0
    account = pwd.getpwnam("postgres") if as_root else None
    completed = subprocess.run(
        [BINDIR / program, *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env={"LC_ALL": "C", "PATH": os.defpath},
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if as_root else None,
    )
    return completed.stdout


def controldata(pgdata: Path) -> dict[str, str]:
    """What pg_controldata prints."""
    lines = run("pg_controldata", "-D", pgdata).splitlines()
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


def check_against_controldata(pgdata: Path) -> None:
    """Compare every field with PostgreSQL's own reading."""
    control, shown = read(pgdata), controldata(pgdata)
    assert str(control.system_id) == shown["Database system identifier"]
    assert str(control.control_version) == shown["pg_control version number"]
    assert str(control.catalog_version) == shown["Catalog version number"]
    assert control.state.label == shown["Database cluster state"]
    assert control.checkpoint_lsn == parse_lsn(shown["Latest checkpoint location"])
    assert control.redo_lsn == parse_lsn(shown["Latest checkpoint's REDO location"])
    assert str(control.timeline) == shown["Latest checkpoint's TimeLineID"]
    assert str(control.segment_size) == shown["Bytes per WAL segment"]


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that the user of PostgreSQL may write."""
    directory = Path(tempfile.mkdtemp(prefix="walsup-control-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres")
    yield directory
    shutil.rmtree(directory)


@pytest.mark.parametrize("segment_mb", [1, 16, 64])
def test_reads_what_initdb_writes(home: Path, segment_mb: int) -> None:
    """Identity, state, positions and segment size are those of pg_controldata."""
    pgdata = home / "data"
    size = f"--wal-segsize={segment_mb}"
    run("initdb", "-D", pgdata, "--no-sync", "--auth=trust", "--username=postgres", size)
    check_against_controldata(pgdata)
    control = read(pgdata)
    assert control.state is DBState.SHUT_DOWN
    assert control.segment_size == segment_mb << 20
    segment = Segment.containing(control.redo_lsn, control.timeline, control.segment_size)
    header = long_page_header((pgdata / "pg_wal" / segment.name).read_bytes())
    assert (header.system_id, header.segment_size) == (control.system_id, control.segment_size)
    assert (header.timeline, header.page_lsn) == (control.timeline, segment.start_lsn)


def test_reads_what_a_server_writes(home: Path) -> None:
    """A running, a killed and a stopped server are told apart."""
    pgdata = home / "data"
    run("initdb", "-D", pgdata, "--no-sync", "--auth=trust", "--username=postgres")
    options = f"-c listen_addresses= -k {home}"
    log = home / "log"
    for mode, state in (("immediate", DBState.IN_PRODUCTION), ("fast", DBState.SHUT_DOWN)):
        run("pg_ctl", "-D", pgdata, "-w", "-l", log, "-o", options, "start")
        try:
            check_against_controldata(pgdata)
            assert read(pgdata).state is DBState.IN_PRODUCTION
        finally:
            run("pg_ctl", "-D", pgdata, "-w", "-m", mode, "stop")
        check_against_controldata(pgdata)
        assert read(pgdata).state is state
