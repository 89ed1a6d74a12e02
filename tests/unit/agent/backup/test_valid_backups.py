"""Which base backups count."""

import dataclasses

import pytest

from walsup.agent.backup.valid_backups import may_be_ours
from walsup.archive.catalog.base_backups import Backup


@pytest.mark.rule("ownership")
def test_a_backup_that_names_no_cluster_counts_when_it_lies_behind_us() -> None:
    """One that is ahead is another's, and would be waited for instead of taking our own."""
    named = Backup(
        name="base_000000010000000500000001",
        system_id=7,
        start_lsn=100,
        finish_lsn=200,
        finished_at="",
        uploaded_at=0.0,
        delta=False,
    )
    nameless = dataclasses.replace(named, system_id=None)
    assert may_be_ours(named, 7, 0)
    assert not may_be_ours(named, 8, 1000)
    assert may_be_ours(nameless, 7, 200)
    assert not may_be_ours(nameless, 7, 199)
