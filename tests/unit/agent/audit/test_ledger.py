"""When the audit's memory is written into the data directory."""

from dataclasses import replace

from walsup.agent.audit.ledger import SAVE_EVERY_S, LocalRecord, State
from walsup.archive.catalog.scope import Stamp

FIRST = State(archive="s3://b/a", system_id=7, finished_at=100.0)


def test_a_round_that_found_nothing_new_writes_nothing() -> None:
    """An idle database is not synced every few seconds for a time alone."""
    kept = LocalRecord()
    assert kept.is_due(FIRST, 0.0)
    assert kept.is_due(FIRST, 1.0)  # it was not written
    kept.note(FIRST, 1.0)
    later = replace(FIRST, finished_at=115.0)
    assert not kept.is_due(later, 2.0)
    assert not kept.is_due(later, SAVE_EVERY_S)
    assert kept.is_due(later, 1.0 + SAVE_EVERY_S)
    for changed in (
        replace(later, known={"a": Stamp(1, 2.0)}),
        replace(later, epoch=2),
        replace(later, backups_from=1),
    ):
        assert kept.is_due(changed, 2.0)
