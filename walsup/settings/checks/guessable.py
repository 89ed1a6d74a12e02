"""Passwords that are the name they belong to: they protect nothing, and cannot be hidden. Pure."""

from collections.abc import Iterator

from walsup.settings.schema import Settings

_PAIRS = (
    ("POSTGRES_PASSWORD", "postgres_password", "POSTGRES_USER", "postgres_user"),
    ("WALSUP_APP_PASSWORD", "app_password", "WALSUP_APP_USER", "app_user"),
    ("WALSUP_PGPASSWORD", "pgpassword", "WALSUP_PGUSER", "database_role"),
    (
        *("WALSUP_REPLICATION_PASSWORD", "replication_password"),
        *("WALSUP_REPLICATION_USER", "replication_user"),
    ),
    ("AWS_SECRET_ACCESS_KEY", "secret_access_key", "AWS_ACCESS_KEY_ID", "access_key_id"),
)


def problems(known: Settings) -> Iterator[str]:
    """Return a line for each secret that equals its user's name."""
    for secret, field, name, field_of_name in _PAIRS:
        text = getattr(known, field)
        if text and text == getattr(known, field_of_name):
            yield (
                f"{secret} is the same as {name}: anyone with the name can log in, and logs that"
                " show the name show the secret"
            )
