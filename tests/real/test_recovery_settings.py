"""Settings that let recovery, a standby or a login stand still are displaced, each with a line."""

from collections.abc import Callable, Mapping

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import status, wait_protected
from dev.harness.scenarios.clones import source_of
from dev.harness.scenarios.standbys import STANDBY, archive_now, conninfo, wait_source

Make = Callable[..., Walsup]
OF_A_STANDBY = {
    "wal_receiver_timeout": "0",
    "wal_receiver_status_interval": "0",
    "wal_retrieve_retry_interval": "1d",
    "update_process_title": "off",
    "pre_auth_delay": "7",
}
OF_A_RESTORE = {
    "recovery_min_apply_delay": "1d",
    "recovery_end_command": "sleep 3600",
    "max_standby_archive_delay": "-1",
    "max_standby_streaming_delay": "-1",
    "update_process_title": "off",
    "pre_auth_delay": "7",
}


def given(settings: Mapping[str, str]) -> list[str]:
    """Arguments of postgres."""
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def displaced(one: Walsup) -> dict[str, str]:
    """What its last start has displaced."""
    return {event["name"]: event["value"] for event in one.events("setting.displaced")}


def shown(one: Walsup, *names: str) -> list[str]:
    """What they are set to."""
    return [one.psql(f"show {name}") for name in names]


def test_c_a_standby_and_a_clone_do_not_stand_still_by_settings(walsup: Make, s3: S3Server) -> None:
    """The primary's commits wait for the standby; the clone ends its recovery."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(one)
    env = STANDBY | {"WALSUP_PRIMARY_CONNINFO": conninfo(one)}
    two = walsup(prefix=one.prefix, env=env, args=given(OF_A_STANDBY)).start()
    wait_source(two, "streaming")
    assert displaced(two).items() >= OF_A_STANDBY.items()
    assert shown(two, *OF_A_STANDBY) == ["1min", "10s", "5s", "on", "0"]
    one.psql("alter system set synchronous_standby_names = '*'")
    one.psql("select pg_reload_conf()")
    one.psql("create table t as select 7 n")
    assert two.stop() == 0
    one.psql("alter system reset synchronous_standby_names")
    one.psql("select pg_reload_conf()")
    archive_now(one)
    clone = walsup(s3=None, env=source_of(s3, one.prefix), args=given(OF_A_RESTORE)).start()
    clone.wait_for(lambda: status(clone)["restore"]["phase"] == "done", "it ends", timeout_s=60)
    assert clone.psql("select n from t") == "7"
    assert displaced(clone).items() >= OF_A_RESTORE.items()
    assert shown(clone, *OF_A_RESTORE) == ["0", "", "30s", "30s", "on", "0"]
