"""What every loop is given."""

import json
from pathlib import Path

import pytest

from walsup.agent.context import AgentContext
from walsup.archive.storage.bucket import open_bucket
from walsup.errors import SettingsError


def test_a_region_that_was_looked_up_is_kept_with_new_credentials(tmp_path: Path) -> None:
    """Else a rotation while the name of Amazon's S3 does not resolve would shut the gate."""
    context = _context(tmp_path)
    assert context.session.bucket
    assert context.session.bucket.region is None
    context.session.bucket = open_bucket(context.settings._replace(region="eu-north-1"))
    before = context.session.bucket
    context.adopt(context.settings)
    assert context.session.bucket
    assert context.session.bucket is not before
    assert context.session.bucket.region == "eu-north-1"
    assert context.settings.region is None


def test_loops_share_what_one_has_read_of_the_settings(tmp_path: Path) -> None:
    """One reading a tick; who asks for now gets that, and what was wrong is never shared."""
    password = tmp_path / "password"
    password.write_text("first")
    context = _context(tmp_path, WALSUP_REPLICATION_PASSWORD_FILE=str(password))
    assert context.read_credentials().access_key_id == "key"
    password.write_text("second")
    assert context.reload_settings(3600.0).replication_password == "first"
    assert context.reload_settings().replication_password == "second"
    assert context.reload_settings(3600.0).replication_password == "second"
    password.unlink()
    with pytest.raises(SettingsError):
        context.reload_settings()


def _context(tmp_path: Path, **more: str) -> AgentContext:
    environment = {
        "PGDATA": str(tmp_path),
        "WALSUP_ARCHIVE": "s3://bucket/prefix",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    } | more
    content = {"boot": "b", "pgdata": str(tmp_path), "environment": environment}
    (tmp_path / "agent.json").write_text(json.dumps(content))
    return AgentContext(tmp_path, None)
