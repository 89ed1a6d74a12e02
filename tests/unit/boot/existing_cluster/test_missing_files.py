"""Settings of a volume that name what is not here, without a server."""

from pathlib import Path

import pytest

from walsup.boot.existing_cluster.missing_files import instead
from walsup.boot.existing_cluster.other_archivers import leftovers, report
from walsup.boot.existing_cluster.other_images import recognise
from walsup.errors import DataDirectoryError, ProgramMissingError
from walsup.postgres import config
from walsup.settings import load


@pytest.fixture
def postgres(tmp_path: Path) -> str:
    """Programs with three libraries beside them, and a data directory."""
    for name in ("bin", "lib", "data"):
        (tmp_path / name).mkdir()
    for name in ("plpgsql.so", "pg_stat_statements.so", "ours.so"):
        (tmp_path / "lib" / name).touch()
    for name in ("postgresql.conf", "pg_hba.conf"):
        (tmp_path / "data" / name).touch()
    return str(tmp_path / "bin" / "postgres")


def found(
    tmp_path: Path, settings: dict[str, str], *arguments: str, image: bool = True
) -> dict[str, str]:
    """What stands in for these settings; `image`: Patroni has configured the directory."""
    data = tmp_path / "data"
    if image:
        (data / config.PATRONIS).touch()
    known, program = load({"PGDATA": str(data)}), str(tmp_path / "bin" / "postgres")
    given = settings | config.from_arguments(arguments)
    return config.from_arguments(instead(given, known, arguments, program, tmp_path))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("bg_mon,pg_stat_statements,set_user", "pg_stat_statements"),
        ('"pgextwlist", ours', "ours"),
        ("timescaledb", ""),
        ("$libdir/pgaudit, $libdir/ours", "$libdir/ours"),
        ("pg_stat_statements,ours", None),
    ],
)
def test_libraries_of_another_image_that_are_not_here(
    tmp_path: Path, postgres: str, given: str, kept: str | None
) -> None:
    """Those without which the data is whole; the others stay, in their order."""
    del postgres
    for setting in ("shared_preload_libraries", "session_preload_libraries"):
        expected = {} if kept is None else {setting: kept}
        assert found(tmp_path, {setting: given}) == expected


@pytest.mark.parametrize(("given", "image"), [("citus,pgaudit", True), ("ours,pgaudit", False)])
def test_a_library_that_cannot_be_left_out_is_named(
    tmp_path: Path,
    postgres: str,
    given: str,
    image: bool,  # noqa: FBT001 (pytest calls it by name)
) -> None:
    """With an argument that leaves it out: tables may need it."""
    del postgres
    with pytest.raises(ProgramMissingError, match="pgaudit") as refusal:
        found(tmp_path, {"shared_preload_libraries": given}, image=image)
    assert f"-c shared_preload_libraries={'' if image else 'ours'}" in str(refusal.value)
    argument = "-cshared_preload_libraries=ours"
    assert found(tmp_path, {"shared_preload_libraries": given}, argument, image=image) == {}


@pytest.mark.parametrize(
    ("given", "search", "is_refused"),
    [
        ("elsewhere", "/opt/lib:$libdir", False),
        ("$libdir/elsewhere", "/opt/lib:$libdir", True),
        ("elsewhere", "$libdir", True),
        ("$libdir/plugins/within,plugins/within,$libdir/plugins/within.so", "", False),
        ("ours.so,$libdir/ours.so", "", False),
        ("plugins/ours", "", True),
        ("/absent/ours", "/opt/lib", True),
    ],
)
def test_only_what_is_certainly_absent_is_refused(
    tmp_path: Path,
    postgres: str,
    given: str,
    search: str,
    is_refused: bool,  # noqa: FBT001 (pytest calls it by name)
) -> None:
    """A library may be in a folder, or where dynamic_library_path says."""
    del postgres
    (tmp_path / "lib" / "plugins").mkdir()
    (tmp_path / "lib" / "plugins" / "within.so").touch()
    asked = {"shared_preload_libraries": given} | (
        {"dynamic_library_path": search} if search else {}
    )
    if not is_refused:
        assert found(tmp_path, asked, image=False) == {}
        return
    with pytest.raises(ProgramMissingError, match=given.replace("$", ".")):
        found(tmp_path, asked, image=False)


def test_where_libraries_are_is_not_known(tmp_path: Path, postgres: str) -> None:
    """Then nothing is taken away."""
    del postgres
    (tmp_path / "lib" / "plpgsql.so").unlink()
    assert found(tmp_path, {"shared_preload_libraries": "bg_mon"}) == {}


def test_a_certificate_that_is_there_is_kept(tmp_path: Path, postgres: str) -> None:
    """Without one there is TLS all the same, or none where there is no openssl."""
    del postgres
    for name in ("server.crt", "server.key"):
        (tmp_path / "data" / name).touch()
    assert found(tmp_path, {"ssl": "on"}) == {}
    seen = found(tmp_path, {"ssl": "on", "ssl_ca_file": "/controller/certificates/ca.crt"})
    assert seen == {"ssl": "off"} or seen["ssl_ca_file"] == f"{tmp_path}/server.crt"
    own = ("-c", "ssl_ca_file=", "-c", "ssl=off")
    assert found(tmp_path, {"ssl": "on", "ssl_cert_file": "/run/certs/server.crt"}, *own) == {}


@pytest.mark.parametrize(
    "settings",
    [
        {"ssl": "on"},
        {"ssl": "on", "ssl_crl_dir": "/nowhere"},
        {"ssl": "on", "ssl_passphrase_command": "/opt/secret/show %p"},
    ],
)
def test_tls_of_nobody_s_image_is_never_replaced(
    tmp_path: Path, postgres: str, settings: dict[str, str]
) -> None:
    """A client may check the certificate: the files are named instead."""
    del postgres
    with pytest.raises(DataDirectoryError, match=r"ssl is on, but .*cannot be read"):
        found(tmp_path, settings, image=False)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("include '/etc/absent/x.conf'", "/etc/absent/x.conf does not exist"),
        ("include_dir '/etc/absent'", "/etc/absent cannot be listed"),
        ("", None),
    ],
)
def test_files_without_which_postgres_ends_are_named(
    tmp_path: Path, postgres: str, line: str, named: str | None
) -> None:
    """An include, or the rules of access, which nothing may stand in for."""
    del postgres
    (tmp_path / "data" / "postgresql.conf").write_text(f"{line}\n")
    (tmp_path / "data" / "postgresql.conf").write_text(f"include_if_exists '/no/x'\n{line}\n")
    if named:
        with pytest.raises(DataDirectoryError, match=named):
            found(tmp_path, {})
        return
    assert found(tmp_path, {}) == {}
    with pytest.raises(DataDirectoryError, match=r"/etc/hba.conf .hba_file. does not exist"):
        found(tmp_path, {"hba_file": "/etc/hba.conf"})
    (tmp_path / "data" / "pg_hba.conf").unlink()
    with pytest.raises(DataDirectoryError, match=r"pg_hba.conf .hba_file. does not exist"):
        found(tmp_path, {})


def test_a_locale_that_is_not_here_is_named(tmp_path: Path, postgres: str) -> None:
    """For postgres ends, whatever an argument says."""
    del postgres
    assert found(tmp_path, {"lc_messages": "C", "lc_time": "C.UTF-8", "lc_numeric": ""}) == {}
    with pytest.raises(DataDirectoryError, match=r"this image .* names: lc_time=xx_XX\.UTF-8"):
        found(tmp_path, {"lc_messages": "C", "lc_time": "xx_XX.UTF-8"})


@pytest.mark.parametrize(
    ("settings", "image", "expected"),
    [
        *(({"logging_collector": "on"}, image, {"off", "stderr"} if image else set()) for image in
          (True, False)),
        ({"logging_collector": "on", "log_directory": "/no/log"}, False, {"off", "stderr"}),
        ({"stats_temp_directory": "/run/pg/15.pg_stat_tmp"}, False, {"pg_stat_tmp"}),
        ({"unix_socket_group": "nobody-s-group"}, False, {""}),
        ({"listen_addresses": "192.0.2.7"}, True, {"*"}),
        ({"listen_addresses": "192.0.2.7"}, False, set()),
        ({"listen_addresses": "192.0.2.7,127.0.0.1"}, True, set()),
    ],
)  # fmt: skip
def test_other_settings(
    tmp_path: Path,
    postgres: str,
    settings: dict[str, str],
    image: bool,  # noqa: FBT001 (pytest calls it by name)
    expected: set[str],
) -> None:
    """Each as the table in docs/other-images.md says."""
    del postgres
    assert set(found(tmp_path, settings, image=image).values()) == expected
    arguments = [word for name, text in settings.items() for word in ("-c", f"{name}={text}")]
    seen = found(tmp_path, settings, *arguments, image=image)
    assert not seen.keys() & settings.keys()


_CNPG = {"log_directory": "/controller/log"}
_CRUNCHY = {"ssl_key_file": "/pgconf/tls/tls.key"}
_DEBIAN = {"ident_file": "/etc/postgresql/15/main/pg_ident.conf"}
_PID = {"external_pid_file": "/var/run/postgresql/15-main.pid"}
_SNAKEOIL = {"ssl_cert_file": "/etc/ssl/certs/ssl-cert-snakeoil.pem"}
_BITNAMI = "/opt/bitnami/postgresql"


@pytest.mark.parametrize(
    ("settings", "image"),
    [
        (_CNPG | {"ssl_cert_file": "/controller/certificates/server.crt"}, "CloudNativePG"),
        (_CNPG | {"archive_command": "/controller/manager wal-archive %p"}, "CloudNativePG"),
        (_CNPG | {"unix_socket_directories": '/tmp, "/controller/run"'}, "CloudNativePG"),
        (
            {"hba_file": f"{_BITNAMI}/conf/pg_hba.conf", "log_directory": f"{_BITNAMI}/logs"},
            "Bitnami",
        ),
        (_CRUNCHY | {"log_directory": "/pgdata/pg17/log"}, "Crunchy"),
        (_DEBIAN | _PID, "Debian"),
        (_DEBIAN | _SNAKEOIL, "Debian"),
        ({"log_directory": "/var/log/pg"}, None),
        # One may be an operator's own, and so may what is set together.
        *((one, None) for one in (_CNPG, _CRUNCHY, _DEBIAN, _PID, _SNAKEOIL)),
        (_DEBIAN | {"hba_file": "/etc/postgresql/15/main/pg_hba.conf"}, None),
        (_PID | _SNAKEOIL, None),
        # What has such a name in it, and is none.
        (_CRUNCHY | {"log_directory": "/var/lib/postgresql/data/pgdata/pg17/log"}, None),
        (_CRUNCHY | {"log_directory": "/pgdata/log"}, None),
        (_PID | {"hba_file": "/etc/postgresql/pg_hba.conf"}, None),
        (_PID | {"hba_file": "/etc/postgresql/15/pg_hba.conf"}, None),
        (_CNPG | {"ssl_cert_file": "/mnt/controller/server.crt"}, None),
        (_CNPG | {"archive_command": "cp %p /x || /controller/manager %p"}, None),
        (_CNPG | {"archive_command": "/controller/manager-of-ours %p"}, None),
    ],
)
def test_images_are_recognised(tmp_path: Path, settings: dict[str, str], image: str | None) -> None:
    """By two signs in what their settings name; by a file of theirs in the test of libraries."""
    seen = recognise(tmp_path, settings)
    assert (seen.name if seen else None) == image


def test_a_file_of_cloudnativepg_s_is_a_second_sign(tmp_path: Path) -> None:
    """By itself it is not: anybody may include a custom.conf."""
    (tmp_path / "custom.conf").touch()
    assert recognise(tmp_path, {}) is None
    seen = recognise(tmp_path, _CNPG)
    assert seen is not None
    assert seen.name == "CloudNativePG"


def test_the_data_directory_s_own_paths_say_nothing() -> None:
    """A volume may be mounted anywhere."""
    for pgdata in ("/pgdata/pg17", "/bitnami/postgresql/data"):
        own = {"log_directory": f"{pgdata}/log", "ssl_cert_file": f"{pgdata}/server.crt"}
        assert recognise(Path(pgdata), own) is None


def test_one_path_takes_nothing_away(tmp_path: Path, postgres: str) -> None:
    """It may be the operator's own: TLS and pgaudit are refused with what to set, others stay."""
    del postgres
    own = _DEBIAN | {"listen_addresses": "192.0.2.7", "logging_collector": "on"}
    assert found(tmp_path, own, image=False) == {}
    with pytest.raises(DataDirectoryError, match=r"(?s)ssl is on, but .*-c ssl=off"):
        found(tmp_path, own | {"ssl": "on"}, image=False)
    with pytest.raises(ProgramMissingError, match="pgaudit"):
        found(tmp_path, own | {"shared_preload_libraries": "pgaudit"}, image=False)


def test_archives_of_other_programs_are_named() -> None:
    """WAL-G's own is continued, and is none of them."""
    settings = {
        "archive_command": "/controller/manager wal-archive --log-destination x %p",
        "restore_command": "pgbackrest --stanza=db archive-get %f %p",
    }
    assert dict(leftovers(settings)) == {
        "archive_command": "CloudNativePG (Barman)",
        "restore_command": "pgBackRest",
    }
    assert not dict(leftovers({"archive_command": "wal-g wal-push %p", "restore_command": ""}))


@pytest.mark.parametrize(
    ("settings", "has_archive", "is_said"),
    [
        ({"archive_mode": "on", "archive_command": "pgbackrest-x %p"}, False, True),
        ({"archive_mode": "on", "archive_command": "pgbackrest-x %p"}, True, False),
        ({"archive_mode": "off", "archive_command": "pgbackrest-x %p"}, False, False),
        ({"archive_command": "pgbackrest-x %p"}, False, False),
        ({"archive_mode": "on", "archive_command": "/bin/true"}, False, False),
        ({"archive_mode": "on", "archive_command": ""}, False, False),
        ({"archive_mode": "on", "archive_command": "exit 1"}, False, False),
        ({"archive_mode": "on", "archive_command": "(cp %p /x)"}, False, False),
        ({"archive_mode": "on", "archive_command": "A=b envdir-x wal-g %p"}, False, True),
    ],
)
def test_a_command_that_is_not_here_keeps_wal(
    capfd: pytest.CaptureFixture[str],
    settings: dict[str, str],
    has_archive: bool,  # noqa: FBT001 (pytest calls it by name)
    is_said: bool,  # noqa: FBT001 (as above)
) -> None:
    """Without an archive of walsup's, which displaces it, the disk would fill."""
    report(settings, has_archive=has_archive)
    assert ("WAL is kept until the disk is full" in capfd.readouterr().err) == is_said
