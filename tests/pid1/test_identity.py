"""Rule 8: who walsup and its children run as."""

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import Machine, Member, Walsup
from dev.harness.processes.namespace import launcher
from tests.pid1.programs import Pid1, run_words, settled, status, wait_phase

Container = Callable[..., Walsup]

ANY_UID = 12345

pytestmark = pytest.mark.usefixtures("as_root")


def test_root_becomes_postgres_for_good(container: Container, machine: Machine) -> None:
    """No process keeps an id, a group or a capability of root's."""
    walsup = container(None)
    one = Pid1(walsup, run_words(), launcher()).start(extra_groups=[0, 4])
    try:
        one.see(walsup.accepts, "the database accepts connections")
        check_members(settled(one.members), machine)
    finally:
        one.kill()


def check_members(members: list[Member], machine: Machine) -> None:
    """Each runs as the database's user and as nothing else."""
    entry = pwd.getpwnam(machine.db_user)
    assert len(members) > 4
    groups = {str(group) for group in os.getgrouplist(machine.db_user, entry.pw_gid)}
    for member in members:
        found = status(member.outer_pid)
        assert found["Uid"].split() == [str(entry.pw_uid)] * 4, member
        assert found["Gid"].split() == [str(entry.pw_gid)] * 4, member
        assert set(found["Groups"].split()) == groups, member
        for kind in ("CapPrm", "CapEff", "CapAmb"):
            assert int(found[kind], 16) == 0, member


def test_root_hands_its_directories_over(container: Container, machine: Machine) -> None:
    """A data directory of root's, a link in it and initdb's WAL directory; not a link's target."""
    walsup = container()
    outside = walsup.layout.base / "outside"
    outside.mkdir()
    (walsup.pgdata / "link").symlink_to(outside)
    waldir = walsup.layout.base / "wal"
    walsup.environment["POSTGRES_INITDB_WALDIR"] = str(waldir)
    subprocess.run(["chown", "-R", "root:root", walsup.pgdata, walsup.run_dir], check=True)
    walsup.start()
    wait_phase(walsup, "running")
    for path in (walsup.pgdata, walsup.run_dir, waldir, *walsup.pgdata.rglob("*")):
        owner = path.lstat().st_uid
        assert owner == pwd.getpwnam(machine.db_user).pw_uid, path
    assert outside.stat().st_uid == 0
    assert walsup.stop() == 0


def as_user(walsup: Walsup, uid: int) -> Pid1:
    """walsup started as PID 1 by a user without a name."""
    ids = [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return Pid1(walsup, ["setpriv", *ids, *run_words()], launcher())


def give(path: Path, uid: int) -> None:
    """Make everything below `path` belong to `uid`."""
    subprocess.run(["chown", "-R", f"{uid}:{uid}", path], check=True)


def test_any_uid_just_runs(container: Container) -> None:
    """A real postgres as uid 12345, with directories of its own."""
    walsup = container(None)
    give(walsup.layout.volume, ANY_UID)
    give(walsup.run_dir, ANY_UID)
    one = as_user(walsup, ANY_UID).start()
    try:
        one.see(lambda: "ready to accept connections" in walsup.log(), "postgres is ready")
        assert status(one.pid_of("postgres"))["Uid"].split() == [str(ANY_UID)] * 4
        one.signal(15)
        assert one.wait() == 0
    finally:
        one.kill()


@pytest.mark.rule("any-uid")
def test_any_uid_makes_a_new_cluster(container: Container) -> None:
    """Initdb insists on a name for its user; libnss-wrapper gives it one."""
    walsup = container(None)
    shutil.rmtree(walsup.pgdata, ignore_errors=True)
    give(walsup.layout.volume, ANY_UID)
    give(walsup.run_dir, ANY_UID)
    one = as_user(walsup, ANY_UID).start()
    try:
        one.see(lambda: "ready to accept connections" in walsup.log(), "postgres is ready")
        assert walsup.events("bootstrap.ended")
        assert (walsup.pgdata / "PG_VERSION").stat().st_uid == ANY_UID
        one.signal(15)
        assert one.wait() == 0
    finally:
        one.kill()


@pytest.mark.parametrize(
    ("mine", "code", "problem"),
    [("run", 68, "the data directory"), ("volume", 68, "the run directory")],
)
def test_a_foreign_directory_is_refused(
    container: Container, mine: str, code: int, problem: str
) -> None:
    """Without root nothing can be taken over; the owner is named."""
    walsup = container()
    give(walsup.layout.base / mine, ANY_UID)
    if mine == "run":
        walsup.pgdata.chmod(0o755)
        walsup.layout.volume.chmod(0o755)
    one = as_user(walsup, ANY_UID)
    try:
        with contextlib.suppress(FileNotFoundError):  # it may have refused already
            one.start()
        assert one.wait() == code
        assert problem in walsup.events("start.refused")[0]["problem"]
    finally:
        one.kill()


def test_root_without_its_rights_refuses(container: Container) -> None:
    """A container that drops SETUID: a sentence and a hint, no traceback."""
    walsup = container()
    words = ["setpriv", "--bounding-set=-setuid", "--inh-caps=-all", *run_words()]
    one = Pid1(walsup, words, launcher())
    try:
        with contextlib.suppress(FileNotFoundError):  # it may have refused already
            one.start()
        assert one.wait() == 68
        assert "cannot become the user" in walsup.events("start.refused")[0]["problem"]
    finally:
        one.kill()


def test_memory_of_pid_1_stays_small(container: Container) -> None:
    """At most 13 MB resident while it runs, and no module that does not belong there."""
    walsup = container(None).start()
    walsup.wait_accepts()
    resident_kb = int(status(walsup.init_pid)["VmRSS"].split()[0])
    assert resident_kb * 1024 <= 13_000_000
    maps = Path(f"/proc/{walsup.init_pid}/maps").read_text()
    for absent in ("asyncpg", "h11", "_asyncio", "_posixsubprocess", "_ssl"):
        assert absent not in maps
