"""What every loop is given."""

import json
from pathlib import Path

from walsup.agent.world import World
from walsup.archive.bucket import open_bucket


def test_a_region_that_was_looked_up_is_kept_with_new_credentials(tmp_path: Path) -> None:
    """Else a rotation while the name of Amazon's S3 does not resolve would shut the gate."""
    environment = {
        "PGDATA": str(tmp_path),
        "WALSUP_ARCHIVE": "s3://bucket/prefix",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    content = {"boot": "b", "pgdata": str(tmp_path), "environment": environment}
    (tmp_path / "agent.json").write_text(json.dumps(content))
    world = World(tmp_path, None)
    assert world.bucket
    assert world.bucket.region is None
    world.bucket = open_bucket(world.settings._replace(region="eu-north-1"))
    before = world.bucket
    world.adopt(world.settings)
    assert world.bucket
    assert world.bucket is not before
    assert world.bucket.region == "eu-north-1"
    assert world.settings.region is None
