"""The file with the password of a standby's primary."""

from pathlib import Path

import pytest

from walsup import settings
from walsup.postgres.sql import passfile

STANDBY = {"WALSUP_ROLE": "standby", "WALSUP_PRIMARY_CONNINFO": "host=a"}


@pytest.mark.rule("secrets")
def test_the_file_follows_the_password(tmp_path: Path) -> None:
    """Written once for each, escaped for libpq, and removed without one."""
    first = settings.load({**STANDBY, "WALSUP_REPLICATION_PASSWORD": "a:b\\c"})
    assert passfile.keep(tmp_path, first)
    path = tmp_path / passfile.FILE
    assert path.read_text() == "*:*:*:*:a\\:b\\\\c\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not passfile.keep(tmp_path, first)
    conninfo = "host=a password=other"
    own = settings.load({**STANDBY, "WALSUP_PRIMARY_CONNINFO": conninfo})
    assert passfile.keep(tmp_path, own)
    assert path.read_text() == "*:*:*:*:other\n"
    assert passfile.keep(tmp_path, settings.load(STANDBY))
    assert not path.exists()
