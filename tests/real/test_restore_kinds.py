"""What a cluster can be made of, and what its copy must not bring along."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import Machine, S3Server, Walsup
from dev.harness.checks.witness import cli, sentinels, status, wait_no_lag, wait_protected
from dev.harness.scenarios.clones import answer_of_clone, source_of

Make = Callable[..., Walsup]
_KEY = "9e86" * 16  # 32 bytes for libsodium


def run_as_database(machine: Machine, *argv: str, env: dict[str, str] | None = None) -> str:
    """Run a program as the database's user; gives what it prints."""
    as_owner = ["runuser", "-u", machine.db_user, "--"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*as_owner, "env", *(f"{k}={v}" for k, v in (env or {}).items()), *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def back_up(one: Walsup, *, delta: bool) -> None:
    """A base backup by the engine itself."""
    program = shutil.which(one.engine, path=one.machine.search_path(one.engine))
    assert program is not None
    words = ["--config", str(one.run_dir / "engine.json"), "backup-push"]
    words += [] if delta else ["--full"]
    env = {"WALG_DELTA_MAX_STEPS": "3"} if delta else {}
    run_as_database(one.machine, program, *words, str(one.pgdata), env=env)


def dump(one: Walsup) -> str:
    """Everything in the database, as pg_dump writes it, but for its random line."""
    socket, port, _ = one.address
    text = run_as_database(
        one.machine,
        *(str(one.tools.bindir / "pg_dump"), "-h", str(socket), "-p", str(port)),
        *("-U", "postgres", "--no-unlogged-table-data", "postgres"),
    )
    return "\n".join(line for line in text.splitlines() if "restrict" not in line)


def check_indexes(one: Walsup) -> None:
    """Every index against its table, by pg_amcheck."""
    socket, port, _ = one.address
    run_as_database(
        one.machine,
        *(str(one.tools.bindir / "pg_amcheck"), "-h", str(socket), "-p", str(port)),
        *("-U", "postgres", "--install-missing", "--heapallindexed", "postgres"),
    )


def test_a_cluster_with_everything_is_cloned(walsup: Make, s3: S3Server, machine: Machine) -> None:
    """Tablespace, large object, unlogged table, delta chain, encryption, WAL on another volume."""
    source = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}, args=["-c", "max_connections=137"])
    # A wal-g that somebody built may have no libsodium.
    sodium = source.engine == "walrus"
    if sodium:
        source.environment |= {"WALG_LIBSODIUM_KEY": _KEY, "WALG_LIBSODIUM_KEY_TRANSFORM": "hex"}
    source.start()
    wait_protected(source)
    places = [source.layout.base / name for name in ("tablespace", "wal")]
    for place in places:
        place.mkdir(mode=0o700)
        machine.give_to_database(place)
    source.psql(f"create tablespace far location '{places[0]}'")
    source.psql("create table there tablespace far as select n from generate_series(1, 5000) n")
    back_up(source, delta=False)
    source.psql("create table later as select n, repeat('x', 500) t from generate_series(1, 999) n")
    source.psql("select lo_from_bytea(4711, 'large')")
    source.psql("create unlogged table passing as select 1 n")
    source.psql("create subscription s connection 'port=1' publication p with (connect = false)")
    source.psql("alter subscription s enable")
    for setting in ("restore_command = '/bin/false'", "work_mem = '5MB'"):
        source.psql(f"alter system set {setting}")
    back_up(source, delta=True)
    assert any("_D_" in key for key in sentinels(s3, source.prefix))
    source.psql("delete from later where n > 500; create index on later (n)")
    before = dump(source)
    wait_no_lag(source)
    assert source.stop() == 0
    shutil.rmtree(next(places[0].iterdir()))

    env = source_of(s3, source.prefix) | {"POSTGRES_INITDB_WALDIR": str(places[1])}
    if sodium:
        env |= {
            "RESTORE_WALG_LIBSODIUM_KEY": _KEY,
            "RESTORE_WALG_LIBSODIUM_KEY_TRANSFORM": "hex",
        }
        wrong = walsup(s3=None, env={**env, "RESTORE_WALG_LIBSODIUM_KEY": "00" * 32}).start()
        assert wrong.wait() == 74
        assert "encrypted with another key" in wrong.log()
    clone = walsup(env=env).start()
    wait_protected(clone, timeout_s=120)
    assert dump(clone) == before
    assert clone.psql("select convert_from(lo_get(4711), 'utf8')") == "large"
    assert clone.psql("select count(*) from passing union all select count(*) from there") == (
        "0\n5000"
    )
    assert clone.psql("select subenabled from pg_subscription") == "f"
    assert (clone.psql("show work_mem"), clone.psql("show max_connections")) == ("5MB", "137")
    assert (clone.pgdata / "pg_wal").readlink() == places[1]
    kept = (clone.pgdata / "postgresql.auto.conf.before-restore").read_text()
    assert "/bin/false" in kept
    assert "/bin/false" not in (clone.pgdata / "postgresql.auto.conf").read_text()
    check_indexes(clone)
    assert clone.stop() == 0
    clone.start()
    clone.wait_accepts()
    assert clone.psql("show max_logical_replication_workers") == "4"
    assert clone.psql("select subenabled from pg_subscription") == "f"


@pytest.mark.soak
def test_three_generations_each_with_an_archive_of_its_own(walsup: Make, s3: S3Server) -> None:
    """A restore of a restore of a restore; every one goes on upon a timeline of its own."""
    before = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(before)
    before.psql("create table t as select 1 n")
    for generation in (2, 3, 4):
        wait_no_lag(before)
        assert before.stop() == 0
        child = walsup(
            env={**source_of(s3, before.prefix), "WALSUP_ARCHIVE_TIMEOUT": "2s"},
        ).start()
        wait_protected(child, timeout_s=120)
        child.psql(f"insert into t values ({generation})")
        assert child.psql("select pg_walfile_name(pg_current_wal_lsn())")[:8] == f"{generation:08X}"
        before.close()
        before = child
    rows = "select string_agg(n::text, ' ' order by n) from t"
    assert before.psql(rows) == "1 2 3 4"


@pytest.mark.rule("ownership")
def test_along_several_timelines_and_back(walsup: Make, s3: S3Server) -> None:
    """Restored in place to the past, written to; the future that was left can still be had."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(one)
    one.psql("create table t as select 1 n")
    kept = one.psql("select pg_current_wal_lsn()")
    one.psql("insert into t values (2)")
    for _ in range(3):
        one.psql("create table if not exists later (n int); insert into later values (1)")
        one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    assert one.stop() == 0
    shutil.rmtree(one.pgdata)
    one.environment |= {"WALSUP_ON_EMPTY_PGDATA": "restore", "WALSUP_RESTORE_TARGET_LSN": kept}
    one.start()
    wait_protected(one, timeout_s=120)
    one.psql("insert into t values (3)")
    wait_no_lag(one)
    assert one.stop() == 0
    rows = "select string_agg(n::text, ' ' order by n) from t"
    assert answer_of_clone(walsup, s3, one.prefix, rows) == "1 3"
    back = {"WALSUP_RESTORE_TARGET_TIMELINE": "1"}
    assert answer_of_clone(walsup, s3, one.prefix, rows, back) == "1 2"
    # The same target again would leave behind what was written since.
    shutil.rmtree(one.pgdata)
    one.start()
    assert one.wait(timeout_s=60) == 74
    assert "was restored to lsn" in one.log()
    del one.environment["WALSUP_RESTORE_TARGET_LSN"]
    one.start()
    wait_protected(one, timeout_s=120)
    assert one.psql(rows) == "1 3"
    assert one.psql("select pg_walfile_name(pg_current_wal_lsn())").startswith("00000003")


def test_an_archive_of_either_engine_is_restored_by_either(
    machine: Machine, walsup: Make, s3: S3Server
) -> None:
    """Written by one, restored by each that this machine has; from the end of another's history."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(one)
    one.psql("create table t as select 1 n")
    wait_no_lag(one)
    assert one.stop() == 0
    for engine in machine.engines:
        found = answer_of_clone(
            lambda **given: walsup(**{**given, "engine": engine}),  # noqa: B023 (used at once)
            s3,
            one.prefix,
            "select n from t",
        )
        assert found == "1"


@pytest.mark.rule("empty-means-listed")
def test_a_new_cluster_beside_an_old_archive_once(walsup: Make, s3: S3Server) -> None:
    """In a sub-path that is remembered: a second loss begins no third, nor takes the first."""
    one = walsup().start()
    wait_protected(one)
    one.psql("create table old as select 1 n")
    assert one.stop() == 0
    shutil.rmtree(one.pgdata)
    one.environment["WALSUP_ON_EMPTY_PGDATA"] = "initdb-new-path"
    one.start()
    wait_protected(one, timeout_s=90)
    assert one.psql("select count(*) from pg_class where relname = 'old'") == "0"
    one.psql("create table new as select 1 n")
    (place,) = {key.split("/")[1] for key in s3.keys(f"{one.prefix}/again-")}
    assert status(one)["archive"] == f"s3://{s3.bucket}/{one.prefix}/{place}"
    assert one.stop() == 0
    one.start()
    wait_protected(one)
    assert one.stop() == 0
    shutil.rmtree(one.pgdata)
    one.start()
    assert one.wait() == 71
    one.environment["WALSUP_ON_EMPTY_PGDATA"] = "restore"
    one.start()
    wait_protected(one, timeout_s=90)
    assert one.psql("select n from new") == "1"


def test_collations_of_another_version_are_a_standing_fault(walsup: Make) -> None:
    """Named with REINDEX, at every start, and never refreshed by walsup."""
    one = walsup(s3=None).start()
    one.wait_accepts()
    one.psql(
        "create collation c (provider = icu, locale = 'de');"
        " update pg_collation set collversion = '0.1' where collname = 'c'"
    )
    assert one.stop() == 0
    one.start()
    fault = one.wait_for(
        lambda: status(one).get("faults", {}).get("collation"), "the fault", timeout_s=30
    )
    assert "public.c of postgres (0.1" in fault["problem"]
    assert "REINDEX" in fault["remedy"]
    assert one.psql("select collversion from pg_collation where collname = 'c'") == "0.1"


def test_a_missing_library_is_named(walsup: Make, s3: S3Server) -> None:
    """Before the copy counts: postgres would not start with it."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(one)
    with (one.pgdata / "postgresql.conf").open("a") as file:
        file.write("shared_preload_libraries = 'pg_stat_statements, nowhere'\n")
    back_up(one, delta=False)
    wait_no_lag(one)
    one.kill_tree()
    clone = walsup(s3=None, env=source_of(s3, one.prefix)).start()
    assert clone.wait(timeout_s=60) == 69
    assert "nowhere" in clone.log()
    assert not (clone.pgdata / "PG_VERSION").exists()


def test_a_missing_library_is_named_beforehand(walsup: Make, s3: S3Server) -> None:
    """A base backup of walsup's tells what its cluster loads: nothing is fetched in vain."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s", "WALSUP_INITIAL_BACKUP": "off"}).start()
    one.wait_accepts()
    assert one.stop() == 0
    library = one.layout.base / "own_extension.so"
    found = run_as_database(one.machine, str(one.tools.bindir / "pg_config"), "--pkglibdir").strip()
    shutil.copy(Path(found) / "pg_stat_statements.so", library)
    library.chmod(0o755)
    with (one.pgdata / "postgresql.conf").open("a") as file:
        file.write(f"shared_preload_libraries = '{library.with_suffix('')}'\n")
    one.environment["WALSUP_INITIAL_BACKUP"] = "on"
    one.start()
    wait_protected(one)
    one.kill_tree()
    library.unlink()
    clone = walsup(s3=None, env=source_of(s3, one.prefix))
    checked = cli(clone, "restore", "--check")
    assert checked.returncode == 74
    assert f"loads {library.with_suffix('')} (shared_preload_libraries)" in checked.stderr
    assert clone.start().wait(timeout_s=60) == 74
    assert "restore.began" not in clone.log()
    # Who says what is to be loaded is not bound by what the copy says.
    clone.args = ["-c", "shared_preload_libraries="]
    clone.start()
    clone.wait_accepts(timeout_s=60)
