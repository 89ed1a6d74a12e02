"""`docker run -e POSTGRES_PASSWORD=… IMAGE` gives a database like the official image's."""

from collections.abc import Callable

from dev.containers import PGDATA, Box, S3Box
from dev.harness.checks.witness import segments, sentinels, wait_protected

Make = Callable[..., Box]


def test_first_boot_gives_a_database_like_the_official_images(box: Make) -> None:
    """Its locale, its clock, jit, the messages that people grep for; psql needs no address."""
    one = box().run()
    one.wait_accepts()
    assert "PostgreSQL init process complete; ready for start up." in one.log()
    shown = one.psql(
        "select current_setting('server_version_num')::int / 10000, current_setting('jit'),"
        " pg_jit_available(), current_setting('TimeZone'), datcollate, datctype,"
        " pg_encoding_to_char(encoding), current_setting('data_directory')"
        " from pg_database where datname = current_database()"
    )
    assert shown == f"17|on|t|Etc/UTC|en_US.utf8|en_US.utf8|UTF8|{PGDATA}"
    assert one.exec("psql", "-U", "postgres", "-Atc", "select 1") == "1"
    assert one.exec("psql", "-U", "postgres", "-Atc", "select 1", user="postgres") == "1"


def test_nothing_of_root_remains(box: Make) -> None:
    """Started as root it becomes `postgres` for good: every process, saved ids included."""
    one = box().run()
    one.wait_accepts()
    ids = one.exec(
        "sh", "-c", 'for p in $(pgrep -v -x "sh|pgrep"); do cat /proc/$p/status || true; done'
    )
    lines = [line.split() for line in ids.splitlines() if line.startswith(("Uid:", "CapEff:"))]
    assert len(lines) > 8
    assert {tuple(line[1:]) for line in lines if line[0] == "Uid:"} == {("999",) * 4}
    assert {line[1] for line in lines if line[0] == "CapEff:"} == {"0000000000000000"}


def test_with_an_archive_the_first_base_backup_is_there(
    box: Make, s3: S3Box, engine: str, image_with: Callable[[str], str]
) -> None:
    """Configured by the environment alone, with each engine; the image becomes healthy."""
    one = box(archive=s3, image=image_with(engine)).run()
    one.wait_accepts()
    wait_protected(one, timeout_s=150)
    prefix = one.environment["WALSUP_ARCHIVE"].rpartition("/")[2]
    assert len(sentinels(s3, prefix)) == 1
    assert segments(s3, prefix)
    one.wait_for(
        lambda: one.inspect()["State"]["Health"]["Status"] == "healthy",
        "docker's health check is content",
        timeout_s=60,
    )
    assert one.stop() == 0
    assert "is in the bucket: yes" in one.last_word()
