"""What root asks of a data directory before its owner changes, as that owner."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from dev.harness import Machine
from walsup.boot.root_examination import examine

_OWNER = 4711


@pytest.fixture
def volume(machine: Machine, cluster: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory of another user, and beside it files that he may not read."""
    folder = Path(mkdtemp(prefix="walsup-unit-"))
    folder.chmod(0o755)
    skipped = shutil.ignore_patterns("[0-9]*_*", "[0-9]*[0-9]", "pg_stat*")
    pgdata = shutil.copytree(cluster, folder / "data", symlinks=True, ignore=skipped)
    (pgdata / "server.crt").touch()
    if os.geteuid() == 0:
        for path in (pgdata, *pgdata.rglob("*")):
            os.chown(path, _OWNER, _OWNER, follow_symlinks=False)
    for path in (pgdata / "secret", folder / "secret", folder / "closed" / "file"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
        path.chmod(0)
    (folder / "closed").chmod(0)
    monkeypatch.setenv("PGDATA", str(pgdata))
    monkeypatch.setenv("PG_BINDIR", str(machine.bindir))
    yield folder
    (folder / "closed").chmod(0o700)
    shutil.rmtree(folder)


def examined(arguments: list[str]) -> int:
    """The exit code of an examination, in a fork as in PID 1: its user changes."""
    pid = os.fork()
    if pid == 0:
        code = 255
        try:
            code = examine(arguments, lambda _: None)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def line_of(volume: Path, text: str) -> None:
    """Add a line to the settings."""
    with (volume / "data" / "postgresql.conf").open("a") as file:
        file.write(text.replace("HERE", str(volume)) + "\n")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("ssl_key_file = 'HERE/secret'", 0),
        ("ssl_key_file = 'HERE/closed/file'", 0),
        ("ssl_key_file = 'HERE/absent'", 65),
        ("ssl_key_file = 'secret'", 65),
        ("ssl_key_file = 'server.crt'\nssl_passphrase_command = 'HERE/closed/file %p'", 0),
        ("ssl_key_file = 'server.crt'\nssl_passphrase_command = 'HERE/absent %p'", 65),
        ("ssl_key_file = 'server.crt'\nssl_passphrase_command = 'HERE/data/server.crt %p'", 65),
        ("ssl = off\nhba_file = 'HERE/closed/file'", 0),
        ("ssl = off\nhba_file = 'HERE/absent'", 65),
        ("ssl = off\ninclude 'HERE/secret'", 0),
        ("ssl = off\ninclude 'HERE/closed/file'", 0),
        ("ssl = off\ninclude_dir 'HERE/closed'", 0),
        ("ssl = off\ninclude 'HERE/absent'", 65),
        ("ssl = off\ninclude 'secret'", 65),
        ("ssl = off\nlogging_collector = on\nlog_directory = 'HERE/closed/log'", 0),
        ("ssl = off\nshared_preload_libraries = 'HERE/closed/file'", 0),
        ("ssl = off\nshared_preload_libraries = 'HERE/absent'", 69),
        ("ssl = off\nwork_mem = 'a lot'", 65),
    ],
)
def test_files_outside_that_the_owner_may_not_read(volume: Path, line: str, code: int) -> None:
    """They may be the later user's: only what is absent, or inside, speaks against a start."""
    line_of(volume, f"ssl = on\n{line}")
    assert examined([]) == code


@pytest.mark.parametrize(
    ("name", "code"), [("secret", 0), ("closed/file", 0), ("absent", 65), ("data/secret", 65)]
)
def test_a_configuration_that_the_owner_may_not_read(volume: Path, name: str, code: int) -> None:
    """As an argument, or behind a link in the data directory."""
    assert examined(["-c", f"config_file={volume / name}"]) == code
    if name.startswith("data/"):
        return
    conf = volume / "data" / "postgresql.conf"
    conf.unlink()
    conf.symlink_to(volume / name)
    assert examined([]) == code
