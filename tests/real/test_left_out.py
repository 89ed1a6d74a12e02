"""What a base backup leaves out of the data directory is shown, noted, and handled at a restore."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import cli, sentinels, status, verdict, wait_fault, wait_protected
from dev.harness.faults.engine_faults import wrap_engine
from dev.harness.scenarios.standbys import conninfo

Make = Callable[..., Walsup]

_RULES = "local all all trust\nhost all all 127.0.0.1/32 reject\n"
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "tls.key")
_CERTIFICATE = ("-out", "tls.crt", "-days", "30", "-subj", "/CN=localhost")


def _made(one: Walsup) -> Walsup:
    """Make the cluster before its archive is known, so that no base backup is taken yet."""
    kept = dict(one.environment)
    for name in ("WALSUP_ARCHIVE", "WALSUP_ON_EMPTY_PGDATA"):
        one.environment.pop(name, None)
    one.start()
    one.wait_accepts()
    assert one.stop() == 0
    one.environment = kept
    return one


def _link(one: Walsup, name: str, target: Path) -> None:
    path = one.pgdata / name
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _mounted(one: Walsup) -> Path:
    """A directory as a ConfigMap or a Secret is mounted, with what the data directory links to."""
    mounted = one.layout.base / "mounted"
    mounted.mkdir(mode=0o755)
    request = ["openssl", "req", "-x509", *_KEY, *_CERTIFICATE]
    subprocess.run(request, cwd=mounted, check=True, capture_output=True)
    (mounted / "rules").write_text(_RULES)
    for path in mounted.iterdir():
        path.chmod(0o600)
        one.machine.give_to_database(path)
    _link(one, "server.crt", mounted / "tls.crt")
    _link(one, "server.key", mounted / "tls.key")
    _link(one, "pg_hba.conf", mounted / "rules")
    with (one.pgdata / "postgresql.conf").open("a") as file:
        file.write("ssl = on\n")
    return mounted


def test_links_are_shown_and_made_again_or_the_restore_is_refused(walsup: Make) -> None:
    """TLS from a Secret, rules from a ConfigMap; nothing else is put in their place."""
    one = _made(walsup(env={"WALSUP_ON_EMPTY_PGDATA": "restore"}))
    mounted = _mounted(one)
    os.mkfifo(one.pgdata / "pipe")
    one.start()
    seen = wait_protected(one)
    left = {found["path"]: found["kind"] for found in seen["left_out"]}
    assert left == {
        "pg_hba.conf": "link",
        "pipe": "pipe",
        "server.crt": "link",
        "server.key": "link",
    }
    assert f"server.crt (a link to {mounted}/tls.crt)" in cli(one, "status").stdout
    assert 'walsup_attention{kind="left out",subject="left out"} 1.0' in one.http("/metrics")[1]
    one.psql("create table t as select 42 n")
    assert one.stop() == 0
    shutil.rmtree(one.pgdata)
    one.start()
    one.wait_accepts(timeout_s=90)
    assert one.psql("select n from t") == "42"
    assert one.psql("show ssl") == "on"
    for name in ("rules", "tls.crt", "tls.key"):
        link = {"rules": "pg_hba.conf", "tls.crt": "server.crt", "tls.key": "server.key"}[name]
        assert (one.pgdata / link).readlink() == mounted / name
    assert (mounted / "rules").read_text() == _RULES
    wait_protected(one)
    assert one.stop() == 0
    shutil.rmtree(one.pgdata)
    mounted.rename(mounted.with_name("gone"))
    one.start()
    assert one.wait() == 74
    for name in ("pg_hba.conf", "server.crt", "server.key"):
        assert f"{name} (a link to {mounted}/" in verdict(one)
    assert not (one.pgdata / "pg_hba.conf").exists()


def test_rules_that_no_note_tells_of_are_not_made_up(walsup: Make, s3: S3Server) -> None:
    """An older walsup's base backup, or one by hand: only the operator can say what is allowed."""
    one = _made(walsup(env={"WALSUP_ON_EMPTY_PGDATA": "restore"}))
    mounted = one.layout.base / "rules"
    mounted.write_text(_RULES)
    mounted.chmod(0o644)
    _link(one, "pg_hba.conf", mounted)
    one.start()
    wait_protected(one)
    assert one.stop() == 0
    (sentinel,) = sentinels(s3, one.prefix)
    s3.put(sentinel, s3.get(sentinel).replace(b'"left_out"', b'"unknown"'))
    shutil.rmtree(one.pgdata)
    one.start()
    assert one.wait(timeout_s=90) == 74
    assert "the copy has no pg_hba.conf" in verdict(one)
    one.args = ["-c", f"hba_file={mounted}"]
    one.start()
    one.wait_accepts(timeout_s=90)
    assert one.psql("show hba_file") == str(mounted)


def test_data_behind_a_link_and_unreadable_files_are_faults_with_names(walsup: Make) -> None:
    """No base backup without them is verified; each is named with what to do."""
    one = _made(walsup())
    secret = one.pgdata / "secret"
    secret.touch()
    one.machine.give_to_database(secret)
    secret.chmod(0)
    one.start()
    fault = wait_fault(one, "backup", timeout_s=60)
    assert fault["kind"] == "left out"
    assert "secret (owner " in fault["problem"]
    assert not status(one)["protected"]
    secret.chmod(0o600)
    wait_protected(one)
    assert one.stop() == 0
    (database,) = [path for path in (one.pgdata / "base").iterdir() if path.name == "5"]
    moved = one.layout.base / "moved"
    shutil.copytree(database, moved)
    for path in (moved, *moved.iterdir()):
        one.machine.give_to_database(path)
    shutil.rmtree(database)
    database.symlink_to(moved)
    one.start()
    fault = wait_fault(one, "backup", timeout_s=60)
    assert fault["kind"] == "left out"
    assert f"base/5 (a link to {moved})" in fault["problem"]
    assert not status(one)["protected"]


def test_a_standby_copied_from_its_primary_gets_no_weaker_rules(walsup: Make) -> None:
    """pg_basebackup skips links with a warning."""
    primary = walsup(s3=None)
    primary.start()
    primary.wait_accepts()
    assert primary.stop() == 0
    rules = primary.layout.base / "rules"
    rules.write_text("local all all trust\nhost all,replication all 127.0.0.1/32 scram-sha-256\n")
    rules.chmod(0o644)
    _link(primary, "pg_hba.conf", rules)
    primary.start()
    primary.wait_accepts()
    told = {"WALSUP_ROLE": "standby", "WALSUP_PRIMARY_CONNINFO": conninfo(primary)}
    standby = walsup(s3=None, env=told).start()
    assert standby.wait(timeout_s=90) == 74
    assert "pg_hba.conf" in verdict(standby)
    assert not (standby.pgdata / "pg_hba.conf").exists()
    standby.args = ["-c", f"hba_file={rules}"]
    standby.start()
    standby.wait_accepts(timeout_s=90)
    assert standby.psql("select pg_is_in_recovery()") == "t"


_FORGETS = """#!/bin/sh
# The engine, whose list of files lacks one of the data directory after a base backup.
{program} "$@"
code="$?"
case " $* " in
*" backup-push "*) sed -i 's#base/5/PG_VERSION"#base/5/forgotten"#g' {lists} ;;
esac
exit "$code"
"""


def test_a_list_that_lacks_data_of_the_directory_is_not_verified(walsup: Make) -> None:
    """The backup's own list of files is compared with a walk through the data directory.

    Files that changed within two seconds before it began are not compared: the cluster is older.
    """
    one = walsup(s3=None).start()
    one.wait_accepts()
    assert one.stop() == 0
    time.sleep(3)
    archive = one.layout.base / "archive"
    archive.mkdir()
    one.machine.give_to_database(archive)
    one.environment |= {"WALSUP_ARCHIVE": f"file://{archive}", "WALSUP_ACCEPT_SAME_DEVICE": "on"}
    wrap_engine(one, _FORGETS.replace("{lists}", f"{archive}/basebackups_005/*/f*.json"))
    one.start()
    fault = wait_fault(one, "backup", timeout_s=90)
    assert fault["kind"] == "left out"
    assert "does not contain base/5/PG_VERSION" in fault["problem"]
    assert not status(one)["protected"]
