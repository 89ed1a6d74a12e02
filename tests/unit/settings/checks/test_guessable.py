"""A password that is its user's name is named at the start."""

from walsup.settings import load
from walsup.settings.checks.guessable import problems


def test_a_password_that_equals_the_name_is_named_without_it() -> None:
    """Also where the name is the default."""
    known = load(
        {
            "PGDATA": "/d",
            "POSTGRES_PASSWORD": "postgres",
            "WALSUP_APP_USER": "hera",
            "WALSUP_APP_PASSWORD": "hera2",
        }
    )
    (told,) = problems(known)
    assert told.startswith("POSTGRES_PASSWORD is the same as POSTGRES_USER")
    assert not list(problems(load({"PGDATA": "/d", "POSTGRES_PASSWORD": "another"})))
