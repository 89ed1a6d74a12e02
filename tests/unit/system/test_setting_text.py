"""One rule for the text of every setting, wherever it stands."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.settings.test_loader import EXAMPLES, IN_FILES, ROWS, companions, faults
from walsup.errors import SettingsError
from walsup.init import data_directory
from walsup.init.early_settings import EarlySettings
from walsup.settings import http, load, origin
from walsup.system.setting_text import cut, fault_in

PASSWORDS = (
    *("POSTGRES_PASSWORD", "WALSUP_PGPASSWORD", "WALSUP_REPLICATION_PASSWORD"),
    "WALSUP_APP_PASSWORD",
)
SPELLINGS = [(name, name) for name in EXAMPLES] + [
    (alias, name) for name, row in ROWS.items() for alias in row.aliases
]
PLACES = ("WALSUP_ARCHIVE", "WALSUP_RESTORE_FROM", "WALG_S3_PREFIX", "WALG_FILE_PREFIX")


@pytest.mark.parametrize(("spelling", "name"), SPELLINGS)
def test_ends_are_cut(spelling: str, name: str) -> None:
    """Of each setting under each of its names; of a password only line breaks."""
    text, value = EXAMPLES[name]
    field = ROWS[name].field
    assert getattr(load({spelling: f"{text}\r\n"} | companions(name)), field) == value
    around = getattr(load({spelling: f" \t{text} \n"} | companions(name)), field)
    assert around == (f" \t{text} " if name in PASSWORDS else value)


@pytest.mark.parametrize("name", IN_FILES)
def test_ends_are_cut_in_files_too(tmp_path: Path, name: str) -> None:
    """In NAME_FILE, whose own name may have a line break behind it, and in the directory."""
    text, value = EXAMPLES[name]
    wanted = f" {text} " if name in PASSWORDS else value
    (tmp_path / name).write_text(f" {text} \n", encoding="utf-8")
    for environ in (
        {f"{name}_FILE": f"{tmp_path / name}\n"},
        {"WALSUP_SECRETS_DIR": f" {tmp_path}\n"},
    ):
        assert getattr(load(environ | companions(name)), ROWS[name].field) == wanted


@pytest.mark.parametrize(("spelling", "name"), SPELLINGS)
def test_a_line_break_inside_is_rejected_by_name(spelling: str, name: str) -> None:
    """And without the text, which may be a secret."""
    text = EXAMPLES[name][0]
    said = faults({spelling: f"{text}\n{text}"} | companions(name))
    assert f"{spelling}: it has a line break inside" in said


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("odd", ["?", "#", "%", "%20", "\\", " ", "\u00a0", "\t", "\x01", "\u200b"])
@pytest.mark.parametrize("at", ["p{}", "p{}q", "p/{}", "{}p"])
def test_a_place_has_nothing_that_a_url_gives_a_meaning(name: str, odd: str, at: str) -> None:
    """Neither inside nor at its end: the engines read it in different ways."""
    start = "/srv/" if name == "WALG_FILE_PREFIX" else "s3://b/"
    text = start + at.format(odd)
    if odd.isspace() and text != text.strip():
        load({name: text} | companions(name))
    else:
        assert f"{name}: it has" in faults({name: text} | companions(name))


def test_a_place_with_a_secret_in_it_is_not_shown() -> None:
    """Also when something else is wrong with it."""
    assert "hush" not in faults({"WALSUP_ARCHIVE": "s3://me:hush?@b/p"})


def test_the_sources_names_follow_the_same_rule(tmp_path: Path) -> None:
    """RESTORE_… variables and its directory; others' names, of which a place is made."""
    (tmp_path / "AWS_SECRET_ACCESS_KEY").write_text(" s\n\n", encoding="utf-8")
    found = load(
        {
            "WALSUP_RESTORE_FROM": "s3://source/x\n",
            "WALSUP_RESTORE_SECRETS_DIR": f"{tmp_path}\n",
            "RESTORE_AWS_ACCESS_KEY_ID": "k \n",
            "RESTORE_AWS_ENDPOINT": "\thost\n",
        }
    )
    source = origin(found, own=False)
    assert (source.access_key_id, source.secret_access_key) == ("k", "s")
    assert source.endpoint == "https://host"
    spilo = {"WAL_S3_BUCKET": "b\n", "SCOPE": " one\n", "PGVERSION": "15\n", "AWS_REGION": "r"}
    assert str(load(spilo).archive) == "s3://b/spilo/one/wal/15"


def test_keys_of_the_engine_stay_as_they_are() -> None:
    """A byte less, and what they have encrypted could not be read."""
    key = "-----BEGIN\nPGP \n"
    found = load({"WALG_PGP_KEY": key, "WALG_UPLOAD_CONCURRENCY": "2\n"})
    assert found.passed_on == {"WALG_PGP_KEY": key, "WALG_UPLOAD_CONCURRENCY": "2"}


def test_pid_1_follows_the_same_rule(tmp_path: Path) -> None:
    """It reads some settings before all the others are read."""
    basics = EarlySettings(
        {
            "PGDATA": f"{tmp_path}/data\n",
            "WALSUP_RUN_DIR": f" {tmp_path}/run\n",
            "WALSUP_STOP_GRACE": "40s\n",
            "WALSUP_LOG_FORMAT": " json",
        },
        1000,
    )
    found = (basics.pgdata, basics.run_dir, basics.stop_grace_s, basics.log_format)
    assert found == (f"{tmp_path}/data", f"{tmp_path}/run", 40.0, "json")
    assert http({"WALSUP_HTTP": "127.0.0.1:80\n"}).port == 80
    for pgdata, run_dir, name in (("/a\nb", "/run", "PGDATA"), ("/a", "/r\x7f", "WALSUP_RUN_DIR")):
        with pytest.raises(SettingsError, match=f"{name}: it has"):
            data_directory.make_directories(str(tmp_path) + pgdata, str(tmp_path) + run_dir)


@given(st.sampled_from([*EXAMPLES, "WALG_PGP_KEY", "PGPASSWORD_SUPERUSER"]), st.text())
def test_what_is_cut_once_stays_so(name: str, text: str) -> None:
    """The agent reads again what prepare has cut; and what passes has no line break."""
    assert cut(name, cut(name, text)) == cut(name, text)
    if name != "WALG_PGP_KEY" and not fault_in(name, text):
        assert not {"\n", "\r", "\0"} & set(text)


@pytest.mark.parametrize("name", ["AWS_DEFAULT_REGION", "WALG_S3_STORAGE_CLASS", "S3_SSE_KMS_ID"])
def test_the_engines_settings_follow_the_rule_too(tmp_path: Path, name: str) -> None:
    """Line breaks and controls inside are named; a document of several lines is none of them."""
    assert load({name: " text \n"}).passed_on == {name: "text"}
    assert f"{name}: it has a line break inside" in faults({name: "te\nxt"})
    (tmp_path / name).write_text("te\x07xt\n", encoding="utf-8")
    said = faults({"WALSUP_SECRETS_DIR": str(tmp_path)})
    assert f"{tmp_path / name}: it has the control character U+0007" in said
    document = '{\n"X-Header": "x"\n}'
    found = load({"WALG_S3_REQUEST_ADDITIONAL_HEADERS": document})
    assert found.passed_on == {"WALG_S3_REQUEST_ADDITIONAL_HEADERS": document}


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "POSTGRES_USER", "POSTGRES_DB"])
@pytest.mark.parametrize("break_", ["\n", "\r", "\r\n"])
def test_a_line_break_in_what_initdb_gets_is_named(name: str, break_: str) -> None:
    """Not the next setting that it would spoil; and the password is not shown."""
    said = faults({name: f"hush{break_}hush"})
    assert f"{name}: it has a line break inside" in said
    assert "hush" not in said


@pytest.mark.parametrize(
    "text", ["eu\nwest", "eu\r\nwest", "'eu-west-1'", '"eu-west-1"', "eu west"]
)
@pytest.mark.parametrize("name", ["AWS_REGION", "WALG_S3_REGION", "AWS_ACCESS_KEY_ID"])
def test_a_region_is_not_blamed_on_the_keys(name: str, text: str) -> None:
    """It is rejected by its own name, before a request is signed with it."""
    said = faults({name: text} | companions("AWS_ACCESS_KEY_ID" if "KEY" in name else name))
    assert f"{name}: it has" in said
    assert text not in said


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("s3://b/a//b", "two slashes in a row in its prefix"),
        ("s3://b/a/../b", "'s3://b/a/../b' has .. in its prefix"),
        ("s3://b/a/./b", "write s3://b/a/b"),
        ("s3://b", "needs a bucket and a prefix"),
        ("s3:///x", "needs a bucket and a prefix"),
        ("s3://b_ü/x", "a bucket's name contains only letters"),
    ],
)
def test_a_place_says_what_is_wrong_with_it(place: str, said: str) -> None:
    """A doubled slash is no matter of two databases in one place."""
    found = faults({"WALSUP_ARCHIVE": place})
    assert said in found
    assert ("two databases" in found) == ("needs a bucket" in said)


def test_no_key_is_shown_that_came_by_anothers_name() -> None:
    """Spilo's clone has one."""
    clone = {"CLONE_SCOPE": "x", "CLONE_WALG_S3_PREFIX": "s3://b/x"}
    keys = {"CLONE_AWS_ACCESS_KEY_ID": "hush-id", "CLONE_AWS_SECRET_ACCESS_KEY": "hush"}
    assert "hush" not in str(load(clone | keys).foreign)
