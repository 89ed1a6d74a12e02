"""What every loop is given."""

import json
from pathlib import Path

import pytest

from walsup.agent.context import World
from walsup.archive.storage.bucket import open_bucket
from walsup.errors import SettingsError


def test_a_region_that_was_looked_up_is_kept_with_new_credentials(tmp_path: Path) -> None:
    """Else a rotation while the name of Amazon's S3 does not resolve would shut the gate."""
    world = _world(tmp_path)
    assert world.bucket
    assert world.bucket.region is None
    world.bucket = open_bucket(world.settings._replace(region="eu-north-1"))
    before = world.bucket
    world.adopt(world.settings)
    assert world.bucket
    assert world.bucket is not before
    assert world.bucket.region == "eu-north-1"
    assert world.settings.region is None


def test_loops_share_what_one_has_read_of_the_settings(tmp_path: Path) -> None:
    """One reading a tick; who asks for now gets that, and what was wrong is never shared."""
    password = tmp_path / "password"
    password.write_text("first")
    world = _world(tmp_path, WALSUP_REPLICATION_PASSWORD_FILE=str(password))
    assert world.read_credentials().access_key_id == "key"
    password.write_text("second")
    assert world.reload_settings(3600.0).replication_password == "first"
    assert world.reload_settings().replication_password == "second"
    assert world.reload_settings(3600.0).replication_password == "second"
    password.unlink()
    with pytest.raises(SettingsError):
        world.reload_settings()


def _world(tmp_path: Path, **more: str) -> World:
    environment = {
        "PGDATA": str(tmp_path),
        "WALSUP_ARCHIVE": "s3://bucket/prefix",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    } | more
    content = {"boot": "b", "pgdata": str(tmp_path), "environment": environment}
    (tmp_path / "agent.json").write_text(json.dumps(content))
    return World(tmp_path, None)
