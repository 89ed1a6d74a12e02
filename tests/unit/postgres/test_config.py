"""Settings from files and arguments."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.postgres.config import (
    Assignment,
    Malformed,
    effective,
    from_arguments,
    from_files,
    parse,
)


def values(text: str) -> dict[str, str]:
    """The settings of one file."""
    return {item.name: item.value for item in parse(text) if isinstance(item, Assignment)}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("x = 1", "1"),
        ("x 1", "1"),
        ("\tX=1 # why", "1"),
        ("x = '1' # it's", "1"),
        ("x=16MB\r", "16MB"),
        ("x = -0x1Fms", "-0x1Fms"),
        ("x = .5e-3", ".5e-3"),
        ("x = replica", "replica"),
        ("x = /var/log", None),
        ("x = C:/log-1.txt", "C:/log-1.txt"),
        ("x'quoted'", "quoted"),
        ("x = ''", ""),
        ("x = 'it''s'", "it's"),
        (r"x = 'it\'s'", "it's"),
        (r"x = 'a\tb\\\101\z'", "a\tb\\Az"),
        (r"x = 'caf\303\251 \351'", "café \udce9"),
        ("x = '# no comment'", "# no comment"),
        ("x = 'cp %p \"/a/%f\"'", 'cp %p "/a/%f"'),
        ("x = 1 2", None),
        ("x = 1.2.3", None),
        ("x = 1e3", None),
        ("x =", None),
        ("x", None),
        ("x = 'open", None),
        ("x-y = 1", None),
        ("= 1", None),
        ("1x = 1", None),
    ],
)
def test_lines(line: str, value: str | None) -> None:
    """Values are read as PostgreSQL's scanner reads them."""
    assert values(line).get("x") == value
    assert any(isinstance(item, Malformed) for item in parse(line)) == (value is None)


def test_order_and_line_numbers() -> None:
    """Comments and empty lines say nothing; the last assignment wins."""
    text = "# a\n\nPort = 1\nmy.option = on\nport = 2\n?\n"
    assert parse(text) == [
        Assignment(line=3, name="port", value="1"),
        Assignment(line=4, name="my.option", value="on"),
        Assignment(line=5, name="port", value="2"),
        Malformed(line=6, text="?"),
    ]
    assert values(text) == {"port": "2", "my.option": "on"}


@given(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40))
def test_any_quoted_value_can_be_read(text: str) -> None:
    """What ALTER SYSTEM quotes is read back, whatever it holds."""
    quoted = text.replace("\\", "\\\\").replace("'", "''")
    assert values(f"x = '{quoted}'") == {"x": text}


def write(directory: Path, **files: str) -> None:
    """Write files; two underscores stand for the dot, three for the slash."""
    for name, text in files.items():
        path = directory / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_includes(tmp_path: Path) -> None:
    """Includes take effect where they stand, relative to the file that names them."""
    write(
        tmp_path,
        postgresql__conf="a = 1\nb = 1\nInclude = 'sub/one.conf'\nb = 2\ninclude_dir 'conf.d'\n"
        "include_if_exists = 'absent.conf'\n",
        sub___one__conf="a = 2\nb = 3\ninclude two.conf\n",
        sub___two__conf="c = 4\n",
        conf__d___20__conf="d = late\n",
        conf__d___10__conf="d = early\n",
        conf__d___30__txt="d = other\n",
        conf__d_____hidden__conf="d = hidden\n",
    )
    (tmp_path / "conf.d" / "99.conf").mkdir()
    (tmp_path / "conf.d" / ".99.conf").write_text("d = hidden\n")
    found = from_files(tmp_path / "postgresql.conf", tmp_path)
    assert found.values == {"a": "2", "b": "2", "c": "4", "d": "late"}
    assert found.problems == ()


def test_problems_are_listed(tmp_path: Path) -> None:
    """What cannot be read is passed over and named."""
    write(
        tmp_path,
        postgresql__conf="include 'no.conf'\ninclude_dir 'no.d'\nbad line here\n"
        "include postgresql.conf\ninclude sub\na = 1\n",
        sub___x="",
    )
    found = from_files(tmp_path / "postgresql.conf", tmp_path)
    assert found.values == {"a": "1"}
    absent, directory, malformed, loop, folder = found.problems
    assert absent == f"{tmp_path}/no.conf does not exist"
    assert directory.startswith(f"{tmp_path}/no.d cannot be listed: ")
    assert malformed == f"{tmp_path}/postgresql.conf line 3 is malformed: bad line here"
    assert "included by itself" in loop
    assert folder.startswith(f"{tmp_path}/sub cannot be read: ")


def test_deep_includes_end(tmp_path: Path) -> None:
    """A chain of includes is followed as deep as postgres follows it."""
    for depth in range(14):
        (tmp_path / f"{depth}.conf").write_text(f"a = {depth}\ninclude '{depth + 1}.conf'\n")
    found = from_files(tmp_path / "0.conf", tmp_path)
    assert found.values == {"a": "10"}
    assert len(found.problems) == 1


def test_alter_system_wins_over_files(tmp_path: Path) -> None:
    """postgresql.auto.conf is read last, from the data directory."""
    write(
        tmp_path,
        etc___postgresql__conf="archive_mode = off\nport = 1\n",
        data___postgresql__auto__conf="archive_mode = 'on'\n",
    )
    found = from_files(tmp_path / "etc/postgresql.conf", tmp_path / "data")
    assert found.values == {"archive_mode": "on", "port": "1"}


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A file in another encoding does not hide the settings in it."""
    (tmp_path / "postgresql.conf").write_bytes(b"a = 'caf\xe9'\nport = 1 # \xff\n")
    assert from_files(tmp_path / "postgresql.conf", tmp_path).values["port"] == "1"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["postgres"], {}),
        (["postgres", "-c", "Port=1"], {"port": "1"}),
        (["-cport=1"], {"port": "1"}),
        (["--archive-mode=on"], {"archive_mode": "on"}),
        (["-c", "archive_command=a=b c"], {"archive_command": "a=b c"}),
        (["-p", "1", "-p2", "-c", "port=3"], {"port": "3"}),
        (["-c", "port=3", "-p", "1"], {"port": "1"}),
        (
            ["-k", "/run", "-h", "", "-N5", "-B", "16MB"],
            {
                "unix_socket_directories": "/run",
                "listen_addresses": "",
                "max_connections": "5",
                "shared_buffers": "16MB",
            },
        ),
        (["-D", "/data"], {"data_directory": "/data"}),
        (["-c", "data_directory=/b", "-D", "/a"], {"data_directory": "/b"}),
        (["-Fip1"], {"fsync": "false", "listen_addresses": "*", "port": "1"}),
        (["-l"], {"ssl": "true"}),
        (["-d", "2"], {"log_min_messages": "debug2"}),
        (["-d0"], {"log_min_messages": "notice"}),
        (["-fs", "-tpl"], {"enable_seqscan": "false", "log_planner_stats": "true"}),
        (["-C", "port", "-S", "1MB", "-W1"], {"work_mem": "1MB", "post_auth_delay": "1"}),
        (["-c", "port"], {}),
        (["-c"], {}),
        (["-p", "1", "--", "-p", "2"], {"port": "1"}),
        (["--single", "-"], {}),
    ],
)
def test_arguments(argv: list[str], expected: dict[str, str]) -> None:
    """Arguments are read as postgres's getopt reads them."""
    assert from_arguments(argv) == expected


@given(st.lists(st.text(max_size=6), max_size=6))
def test_any_arguments_can_be_read(argv: list[str]) -> None:
    """No argument, however odd, keeps walsup from starting: postgres judges it."""
    assert isinstance(from_arguments(argv), dict)


def test_effective(tmp_path: Path) -> None:
    """Arguments win over ALTER SYSTEM, and that over the file that they name."""
    write(
        tmp_path,
        postgresql__conf="port = 1\n",
        etc___my__conf="port = 2\nwal_level = minimal\narchive_timeout = 60\n",
        postgresql__auto__conf="wal_level = logical\narchive_timeout = 30\n",
    )
    argv = ["postgres", "-c", f"config_file={tmp_path}/etc/my.conf", "-c", "archive_timeout=5"]
    assert effective(tmp_path, argv).values == {
        "data_directory": str(tmp_path),
        "config_file": f"{tmp_path}/etc/my.conf",
        "port": "2",
        "wal_level": "logical",
        "archive_timeout": "5",
    }
    assert effective(tmp_path, []).values["port"] == "1"


def test_directory_of_the_file_wins_over_d(tmp_path: Path) -> None:
    """With -D on a directory of settings only, ALTER SYSTEM is read where the data lies."""
    write(
        tmp_path,
        etc___postgresql__conf=f"data_directory = '{tmp_path}/data'\n",
        etc___postgresql__auto__conf="port = 1\n",
        data___postgresql__auto__conf="port = 2\n",
    )
    found = effective(tmp_path / "other", ["-D", f"{tmp_path}/etc"])
    assert found.values == {"data_directory": f"{tmp_path}/data", "port": "2"}


def test_missing_file_is_a_problem(tmp_path: Path) -> None:
    """A configuration file that is not there is named."""
    assert effective(tmp_path, []).problems == (f"{tmp_path}/postgresql.conf does not exist",)
