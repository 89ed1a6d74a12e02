"""The image out of an official one, with the newest PostgreSQL and Python that Debian has."""

import secrets
from collections.abc import Callable

import pytest

from dev.containers import Box, Daemon, S3Box, base, image
from dev.harness.checks.witness import wait_no_lag, wait_protected
from tests.container.conftest import archive_environment

Make = Callable[..., Box]

VOLUME = "/var/lib/postgresql"
PGDATA = f"{VOLUME}/{base.NEWEST_MAJOR}/docker"


@pytest.fixture(scope="module")
def newest(daemon: Daemon) -> str:
    """The image."""
    assert daemon
    return image.make_newest()


def test_a_base_that_has_the_user_builds_and_is_one_database_through_its_life(
    box: Make, s3: S3Box, newest: str
) -> None:
    """First boot, archive, stop, a standby, and a restore after the volume is lost."""
    prefix = f"newest-{secrets.token_hex(4)}"
    env = archive_environment(s3, prefix)
    one = box(image=newest, env=env).volume(VOLUME).run()
    one.wait_accepts()
    wait_protected(one, timeout_s=150)
    assert one.psql("show server_version_num").startswith(base.NEWEST_MAJOR)
    assert one.psql("show data_directory") == PGDATA
    one.psql("create table t as select generate_series(1, 1000) n")
    assert "Python 3.1" in one.exec("/opt/walsup/bin/python3", "--version")
    assert one.exec("id", "--user", "postgres") == "999"
    wait_no_lag(one, timeout_s=150)

    standby = box(image=newest, env=env | {"WALSUP_ROLE": "standby"}).volume(VOLUME).run()
    standby.wait_accepts()
    assert standby.psql("select pg_is_in_recovery()") == "t"
    standby.remove()

    assert one.stop() == 0
    assert "is in the bucket: yes" in one.last_word()
    again = box(image=newest, env=env | {"WALSUP_ON_EMPTY_PGDATA": "restore"})
    again.volume(VOLUME).run()
    again.wait_accepts()
    wait_protected(again, timeout_s=150)
    assert again.psql("select count(*) from t") == "1000"
    assert "DeprecationWarning" not in one.log() + again.log()
    assert again.stop() == 0
    assert "is in the bucket: yes" in again.last_word()


def test_data_of_another_major_version_is_refused(box: Make, newest: str) -> None:
    """17's volume under 18 ends with the code for it, before anything is touched."""
    one = box().volume().run()
    one.wait_accepts()
    assert one.stop() == 0
    other = box(image=newest, env={"PGDATA": "/var/lib/postgresql/data"})
    other.flags += one.flags[-2:]
    other.run()
    assert other.wait() == 66
    assert f"but PostgreSQL {base.NEWEST_MAJOR} is installed" in other.last_word()
    one.start()
    one.wait_accepts()
