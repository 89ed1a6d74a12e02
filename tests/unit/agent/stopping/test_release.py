"""Giving the archive up: the verdict counts only for an archive that was held all the time."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.agent.holding import OWNER, Held
from walsup.agent.stopping.release import QUESTION, release
from walsup.archive.ownership.lease import Lease, Written
from walsup.postgres.wal import Segment

MARK = Segment(timeline=1, number=9, size=1 << 24)
YES = f"{QUESTION}: yes"


@pytest.fixture
def held(pgdata: Path, tmp_path: Path) -> Held:
    """An agent at the end of a stop."""
    return Held.begin(pgdata, tmp_path)


def _claim_again(held: Held, epoch: int) -> None:
    """Let the gate be opened again, under this epoch."""
    owner = replace(OWNER, epoch=epoch).signed()
    etag = held.bucket.put(owner)
    held.context.session.lease = Lease(held.bucket, Written(owner, etag, held.clock()), held.clock)


async def test_the_owner_object_keeps_the_verdict_and_the_last_verified_segment(held: Held) -> None:
    """The next start, and the restore list, read both there."""
    assert await release(held.context, held.lease, MARK, YES, ended=True) == ""
    written = held.bucket.owner
    assert (written.state, written.verdict, written.lsn) == ("stopped", YES, MARK.end_lsn)
    assert written.complete_until > 0


@pytest.mark.rule("one-owner")
async def test_what_was_listed_counts_only_while_the_archive_is_its_own(held: Held) -> None:
    """Another start has taken it: the verdict says that, and its object stays."""
    theirs = replace(OWNER, boot="another", epoch=5).signed()
    held.bucket.put(theirs)
    assert "another start has taken the archive" in await release(
        held.context, held.lease, MARK, YES, ended=True
    )
    assert held.bucket.owner == theirs


@pytest.mark.rule("one-owner")
async def test_an_archive_that_was_lost_and_claimed_again_has_no_yes(held: Held) -> None:
    """Another start has written between the two claims: its WAL may be among what was listed."""
    _claim_again(held, OWNER.epoch + 1)
    why = await release(held.context, held.lease, MARK, YES, ended=True)
    assert "another start held the archive" in why
    written = held.bucket.owner
    assert (written.state, written.verdict) == ("stopped", f"{QUESTION}: no: {why}")
    assert written.complete_until == 0


async def test_credentials_that_were_exchanged_meanwhile_void_nothing(held: Held) -> None:
    """The same start has claimed again, and the newer version is the one to write over."""
    _claim_again(held, OWNER.epoch)
    assert await release(held.context, held.lease, MARK, YES) == ""
    assert held.bucket.owner.verdict == YES


async def test_a_release_that_fails_is_tried_again(held: Held) -> None:
    """Only the stop's deadline ends it."""

    def once(count: int) -> None:
        if count == 1:
            raise PermissionError("the bucket rejects it")

    held.bucket.then = once
    assert await release(held.context, held.lease, MARK, YES) == ""
    assert held.bucket.writes == 2
    assert held.bucket.owner.state == "stopped"
