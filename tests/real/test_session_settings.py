"""What the operator's settings do to sessions does nothing to walsup's and the engine's."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dev.harness import Walsup
from dev.harness.checks.witness import status, wait_protected

Make = Callable[..., Walsup]
# A base backup asks for a checkpoint, and is idle while it reads files: neither takes so little.
LIMITS = {
    "statement_timeout": "2ms",
    "idle_session_timeout": "2ms",
    "idle_in_transaction_session_timeout": "2ms",
    "lock_timeout": "2ms",
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "exit_on_error": "on",
    "client_min_messages": "debug5",
    "datestyle": "German",
    "intervalstyle": "iso_8601",
    "bytea_output": "escape",
    "synchronous_commit": "remote_apply",
    "client_encoding": "LATIN1",
    "local_preload_libraries": "nothing_like_it",
    "session_preload_libraries": "nothing_like_it",
}
# The role's win over the database's, and those over the server's: each has a part to itself.
BY_SERVER = list(LIMITS)[:6]
BY_DATABASE = list(LIMITS)[6:11]
BY_ROLE = list(LIMITS)[11:]
# Under which the test itself may ask.
PLAIN = {"default_transaction_read_only": "off", "default_transaction_isolation": "read committed"}


def test_c_no_setting_ends_or_hinders_the_agents_and_the_engines_sessions(walsup: Make) -> None:
    """Whether the server, the database or the role has it: roles are made, backups are taken.

    What stands still for others is said.
    """
    one = walsup()
    archive = one.environment.pop("WALSUP_ARCHIVE")
    one.start().wait_accepts()
    one.psql("create role test superuser login; create role nobody")
    ask = {"user": "test", "database": "template1"}
    for name in BY_SERVER:
        one.psql(f"alter role test set {name} = '{PLAIN.get(name, '0')}'", **ask)
    for target, names in (("database postgres", BY_DATABASE), ("role postgres", BY_ROLE)):
        for name in names:
            one.psql(f"alter {target} set {name} = '{LIMITS[name]}'", **ask)
        one.psql(f"alter {target} set role = nobody", **ask)
    one.psql("alter system set synchronous_standby_names = absent", **ask)
    assert one.stop() == 0
    one.environment |= {"WALSUP_ARCHIVE": archive, "WALSUP_REPLICATION_PASSWORD": "mirror"}
    one.args = [f"--{name}={LIMITS[name]}" for name in BY_SERVER]
    one.start().wait_event("replication.role")
    one.wait_event("backup.proven", timeout_s=60)
    seen = wait_protected(one)
    assert not seen["attention"]
    with ThreadPoolExecutor(1) as pool:
        commit = pool.submit(one.psql, "create table mine (n int)", **ask)
        try:
            said = one.wait_for(lambda: status(one)["attention"].get("commits"), "commits wait")
        finally:
            one.psql("alter system reset synchronous_standby_names", **ask)
            one.psql("select pg_reload_conf()", **ask)
        commit.result()
    assert said["kind"] == "commits wait"
    assert "synchronous_standby_names = 'absent'" in said["problem"]
    one.wait_for(lambda: "commits" not in status(one)["attention"], "they go on")
    assert not status(one)["faults"]
