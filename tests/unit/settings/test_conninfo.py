"""WALSUP_PRIMARY_CONNINFO: read as libpq reads it, shown without the password."""

import pytest

from walsup import settings
from walsup.errors import SettingsError
from walsup.settings.conninfo import Conninfo, read, render


@pytest.mark.parametrize(
    ("text", "parameters", "password"),
    [
        ("host=db port=5433", (("host", "db"), ("port", "5433")), ""),
        ("host = 'a b'  user=x", (("host", "a b"), ("user", "x")), ""),
        (r"host=db password='it\'s \\ here'", (("host", "db"),), r"it's \ here"),
        (r"host=db password=a\ b", (("host", "db"),), "a b"),
        ("hostaddr=10.0.0.1 password=p:q", (("hostaddr", "10.0.0.1"),), "p:q"),
    ],
)
def test_it_is_read_as_libpq_reads_it(
    text: str, parameters: tuple[tuple[str, str], ...], password: str
) -> None:
    """Quotes, escapes, blanks around the sign."""
    assert read(text) == Conninfo(parameters, password)
    assert read(render(parameters)).parameters == parameters


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("postgresql://u:secret@host/db", "URI"),
        ("host=db secret", "key=value"),
        ("host=db password='secret", "key=value"),
        ("port=5432 password=secret", "no host"),
        ("host=db passfile=/x password=secret", "passfile"),
        ("host=db sslpassword=secret", "sslpassword"),
    ],
)
def test_what_is_wrong_is_told_without_a_secret(text: str, word: str) -> None:
    """No value stands in the fault."""
    with pytest.raises(SettingsError) as refused:
        settings.load({"WALSUP_ROLE": "standby", "WALSUP_PRIMARY_CONNINFO": text})
    assert word in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_password_is_a_secret_and_nothing_else_is() -> None:
    """It is cut from what is shown; the host is not."""
    known = settings.load(
        {"WALSUP_ROLE": "standby", "WALSUP_PRIMARY_CONNINFO": "host=db password=hush"}
    )
    assert known.secrets == ("hush",)
    assert "hush" not in repr(known.primary_conninfo)


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"WALSUP_ROLE": "standby"}, "nothing to follow"),
        ({"WALSUP_PRIMARY_CONNINFO": "host=db"}, "does not follow another"),
        ({"WALSUP_ROLE": "auto"}, "needs WALSUP_ARCHIVE"),
        (
            {
                "WALSUP_ROLE": "auto",
                "WALSUP_ARCHIVE": "s3://b/p",
                "WALSUP_ON_EMPTY_PGDATA": "restore",
            },
            "becomes a standby's",
        ),
        (
            {
                "WALSUP_ROLE": "standby",
                "WALSUP_ARCHIVE": "s3://b/p",
                "WALSUP_RESTORE_FROM": "s3://b/q",
            },
            "WALSUP_RESTORE_FROM with",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(environ: dict[str, str], word: str) -> None:
    """A standby of nothing, a primary that follows, a standby of a restore."""
    with pytest.raises(SettingsError, match=word):
        settings.load(environ)
