"""Secrets that are read again: they alone change."""

from pathlib import Path

import pytest

from walsup import settings
from walsup.settings.renewed import renewed

ARCHIVE = {"WALSUP_ARCHIVE": "s3://bucket/orders", "AWS_REGION": "eu-central-1"}
KEYS = {"AWS_ACCESS_KEY_ID": "old", "AWS_SECRET_ACCESS_KEY": "old-secret"}
TOKEN = {"AWS_SESSION_TOKEN": "a-token"}


@pytest.mark.rule("secrets")
def test_keys_and_passwords_change_and_nothing_else() -> None:
    """Another archive or region in the files is not taken into use."""
    known = settings.load({**ARCHIVE, **KEYS, "POSTGRES_PASSWORD": "old"})
    again = settings.load(
        {
            "WALSUP_ARCHIVE": "s3://other/place",
            "AWS_ACCESS_KEY_ID": "new",
            "AWS_SECRET_ACCESS_KEY": "new-secret",
            "POSTGRES_PASSWORD": "new",
            "WALG_LIBSODIUM_KEY": "a-key",
        }
    )
    found = renewed(known, again)
    assert found.access_key_id == "new"
    assert found.secret_access_key == "new-secret"
    assert found.postgres_password == "new"
    assert found.passed_on["WALG_LIBSODIUM_KEY"] == "a-key"
    assert (found.archive, found.region) == (known.archive, known.region)


@pytest.mark.rule("secrets")
def test_a_secret_that_is_missing_is_kept() -> None:
    """A moment without files is no news."""
    known = settings.load({**ARCHIVE, **KEYS, **TOKEN})
    assert renewed(known, settings.load(ARCHIVE)) == known


@pytest.mark.rule("secrets")
def test_permanent_keys_take_the_token_of_temporary_ones_away() -> None:
    """The three belong together."""
    known = settings.load({**ARCHIVE, **KEYS, **TOKEN})
    found = renewed(known, settings.load({**ARCHIVE, **KEYS}))
    assert found.session_token is None


@pytest.mark.rule("secrets")
def test_the_source_of_a_restore_has_keys_of_its_own(tmp_path: Path) -> None:
    """They change with its folder, also when they were wrong at first."""
    where = {"WALSUP_RESTORE_FROM": "s3://other/orders"}
    where["WALSUP_RESTORE_SECRETS_DIR"] = str(tmp_path)
    (tmp_path / "AWS_ACCESS_KEY_ID").write_text("id")
    faulty = settings.load({**ARCHIVE, **KEYS, **where})
    assert faulty.source_faults
    (tmp_path / "AWS_SECRET_ACCESS_KEY").write_text("secret")
    found = renewed(faulty, settings.load({**ARCHIVE, **KEYS, **where}))
    assert not found.source_faults
    assert settings.origin(found, own=False).secret_access_key == "secret"
    assert found.access_key_id == "old"
