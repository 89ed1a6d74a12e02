"""Who is let in: every rule of S4 as a case."""

from dataclasses import replace

import pytest

from walsup.archive.owner_record import Owner
from walsup.archive.ownership.admission import (
    Rejected,
    Take,
    TryAgain,
    decide_claim,
    promotion,
    reclaim,
)
from walsup.archive.ownership.claim import OwnerWatch
from walsup.archive.ownership.claimant import Claimant
from walsup.archive.ownership.lease import now_s
from walsup.datadir.markers import Adoption
from walsup.postgres.pg_control import ControlData, DBState
from walsup.postgres.wal import Segment, Switch

SIZE = 1 << 24
SYSTEM = 7_300_000_000_000_000_001
OWNER = Owner(
    system_id=SYSTEM,
    instance="theirs",
    boot="their boot",
    epoch=7,
    timeline=1,
    lsn=10 * SIZE,
    state="stopped",
    compression="zstd",
    lease_s=15,
    place="kernel:1:1",
    backups_from=3 * SIZE,
)
FOREVER_S = 1e9


def control(*, system_id: int = SYSTEM, timeline: int = 1) -> ControlData:
    """A data directory whose redo lies in segment 12."""
    return ControlData(
        system_id=system_id,
        state=DBState.IN_PRODUCTION,
        checkpoint_lsn=12 * SIZE + 40,
        redo_lsn=12 * SIZE + 8,
        timeline=timeline,
        segment_size=SIZE,
        catalog_version=202209061,
        control_version=1300,
    )


def claimant(**given: object) -> Claimant:
    """Another copy of the owner's cluster, unless told otherwise."""
    fields: dict[str, object] = {
        "control": control(),
        "instance": "ours",
        "boot": "our boot",
        "place": "kernel:1:2",
        "compression": "lz4",
        "lease_s": 15.0,
    }
    return Claimant(**(fields | given))  # type: ignore[arg-type]


def decide(
    owner: Owner, who: Claimant, *, unchanged_s: float = 0, empty: bool = False, mark_lsn: int = 0
) -> Take | TryAgain | Rejected:
    """The decision."""
    return decide_claim(owner, who, unchanged_s=unchanged_s, empty=empty, mark_lsn=mark_lsn)


SAME = {"instance": "theirs"}
RUNNING = replace(OWNER, state="running")


def test_same_instance_after_a_clean_stop() -> None:
    """At once: the epoch is raised, what was proven and what backups count stays."""
    answer = decide(OWNER, claimant(**SAME))
    assert isinstance(answer, Take)
    taken = answer.owner
    assert (taken.epoch, taken.boot, taken.state) == (8, "our boot", "running")
    assert (taken.place, taken.lsn, taken.compression) == ("kernel:1:2", OWNER.lsn, "zstd")
    assert taken.backups_from == OWNER.backups_from


@pytest.mark.parametrize(("unchanged_s", "taken"), [(0, False), (59.9, False), (60, True)])
@pytest.mark.rule("one-owner")
def test_same_instance_whose_last_start_said_nothing(unchanged_s: float, taken: bool) -> None:  # noqa: FBT001 (a table)
    """A copy of the volume may run elsewhere: only 4 leases of silence tell that it does not."""
    answer = decide(RUNNING, claimant(**SAME), unchanged_s=unchanged_s)
    assert isinstance(answer, Take if taken else TryAgain)


@pytest.mark.rule("one-owner")
def test_the_longer_lease_counts() -> None:
    """The holder believes in its own lease, not in ours."""
    slow = replace(RUNNING, lease_s=60)
    assert isinstance(decide(slow, claimant(**SAME), unchanged_s=239), TryAgain)
    assert isinstance(decide(slow, claimant(**SAME), unchanged_s=240), Take)
    assert isinstance(decide(RUNNING, claimant(**SAME, lease_s=60.0), unchanged_s=239), TryAgain)


@pytest.mark.rule("one-owner")
def test_the_very_directory_of_the_holder_is_proof_of_its_death() -> None:
    """We have the lock that it had."""
    answer = decide(RUNNING, claimant(**SAME, place=RUNNING.place))
    assert isinstance(answer, Take)
    nowhere = replace(RUNNING, place="")
    assert isinstance(decide(nowhere, claimant(**SAME, place="")), TryAgain)


def test_the_same_start_writes_again() -> None:
    """The agent was restarted: no new epoch, but a lease begins only with a write."""
    answer = decide(RUNNING, claimant(**SAME, boot="their boot"))
    assert isinstance(answer, Take)
    assert answer.owner == RUNNING


@pytest.mark.rule("one-owner")
def test_the_same_start_does_not_write_over_a_wipe() -> None:
    """Whoever wipes may leave the holder's name in the object."""
    wiping = replace(OWNER, state="wiping")
    assert isinstance(decide(wiping, claimant(**SAME, boot="their boot")), Rejected)


@pytest.mark.rule("one-owner")
def test_what_was_given_up_is_claimed_anew_by_the_same_start() -> None:
    """Else the object would go on saying "stopped", and anybody could write beside us."""
    answer = decide(OWNER, claimant(**SAME, boot="their boot"))
    assert isinstance(answer, Take)
    assert (answer.owner.state, answer.owner.epoch) == ("running", 8)


@pytest.mark.rule("one-owner")
def test_silence_is_measured_by_content() -> None:
    """A server without tags, or with changing ones, neither kills a holder nor keeps a dead one."""
    rivals = OwnerWatch()
    assert rivals.unchanged_s(OWNER.to_json(), now_s()) == 0
    assert rivals.unchanged_s(OWNER.to_json(), now_s() + 60) >= 59
    assert rivals.unchanged_s(OWNER.signed().to_json(), now_s() + 60) < 61
    assert rivals.unchanged_s(b"absent", now_s()) == 0


@pytest.mark.rule("ownership")
def test_a_copy_on_the_same_timeline_needs_a_person() -> None:
    """However long the owner has been silent; the way out is named."""
    answer = decide(OWNER, claimant(), unchanged_s=FOREVER_S)
    assert isinstance(answer, Rejected)
    assert answer.foreign
    assert "walsup adopt" in answer.fault.cure


@pytest.mark.parametrize(
    ("left_at", "mark", "taken"),
    [(10, 10, True), (11, 10, True), (9, 10, False), (10, 11, False), (12, 11, True)],
)
@pytest.mark.rule("ownership")
def test_a_promoted_standby_goes_on_with_a_new_timeline(
    left_at: int,
    mark: int,
    taken: bool,  # noqa: FBT001 (a table)
) -> None:
    """If it left the owner's timeline at or behind the end of what is archived of it."""
    left = (Switch(timeline=1, switch_lsn=left_at * SIZE, reason="promoted"),)
    who = claimant(control=control(timeline=2), left=left)
    answer = decide(OWNER, who, mark_lsn=mark * SIZE)
    assert isinstance(answer, Take if taken else Rejected)
    if isinstance(answer, Take):
        assert (answer.owner.instance, answer.owner.lsn) == ("ours", OWNER.lsn)
        assert isinstance(decide(RUNNING, who, mark_lsn=mark * SIZE, unchanged_s=59), TryAgain)
    else:
        assert "walsup adopt" in answer.fault.cure


@pytest.mark.rule("divergence")
def test_a_branch_of_the_same_instance_begins_where_it_has_left() -> None:
    """Else what a copy has archived behind the branch would be taken for ours, and never pass."""
    left = (Switch(timeline=1, switch_lsn=8 * SIZE + 96, reason="a test"),)
    one = claimant(instance="theirs", control=control(timeline=2), left=left)
    decided = decide_claim(OWNER, one, unchanged_s=0, empty=False, mark_lsn=OWNER.lsn)
    assert isinstance(decided, Take)
    assert (decided.owner.timeline, decided.owner.lsn) == (1, 8 * SIZE)


@pytest.mark.rule("ownership")
def test_a_timeline_that_was_never_the_owners() -> None:
    """The owner has been promoted elsewhere; this one stayed behind, or went another way."""
    left = (Switch(timeline=1, switch_lsn=20 * SIZE, reason=""),)
    for who in (claimant(), claimant(control=control(timeline=3), left=left)):
        assert isinstance(decide(replace(OWNER, timeline=2), who), Rejected)


@pytest.mark.rule("ownership")
def test_adopt_begins_anew_with_a_full_backup() -> None:
    """Only from the owner that the person has seen, and only when nobody holds it."""
    said = Adoption("a", ("theirs", "their boot", 7))
    answer = decide(OWNER, claimant(adoption=said))
    assert isinstance(answer, Take)
    taken = answer.owner
    assert (taken.epoch, taken.instance, taken.compression) == (8, "ours", "zstd")
    assert (taken.lsn, taken.backups_from) == (12 * SIZE, 12 * SIZE)
    assert isinstance(decide(RUNNING, claimant(adoption=said)), TryAgain)
    for other in (replace(OWNER, epoch=8), replace(OWNER, boot="x"), replace(OWNER, instance="y")):
        assert isinstance(decide(other, claimant(adoption=said)), Rejected)


@pytest.mark.rule("ownership")
def test_another_cluster_never_shares_a_prefix() -> None:
    """Not even when adopted; but nothing archived is nothing to share."""
    said = Adoption("a", ("theirs", "their boot", 7))
    who = claimant(control=control(system_id=1), adoption=said)
    answer = decide(OWNER, who)
    assert isinstance(answer, Rejected)
    assert str(SYSTEM) in answer.fault.problem
    empty = decide(OWNER, who, empty=True)
    assert isinstance(empty, Take)
    assert (empty.owner.system_id, empty.owner.epoch, empty.owner.compression) == (1, 8, "lz4")
    assert isinstance(decide(RUNNING, who, empty=True), TryAgain)


@pytest.mark.rule("wipe")
def test_an_archive_that_is_being_wiped_is_nobodys() -> None:
    """Not even its own instance's."""
    assert isinstance(decide(replace(OWNER, state="wiping"), claimant(**SAME)), Rejected)


MARK = Segment(timeline=3, number=20, size=SIZE)


@pytest.mark.parametrize(
    ("owner", "unchanged_s", "wanted"),
    [
        (OWNER, 0.0, Take),
        (replace(OWNER, state="running"), 0.0, TryAgain),
        (replace(OWNER, state="running"), 59.0, TryAgain),
        (replace(OWNER, state="running"), 60.0, Take),
        (replace(OWNER, state="running", boot="our boot"), 0.0, Take),
        (replace(OWNER, state="running", place="kernel:1:2"), 0.0, Take),
        (replace(OWNER, state="wiping"), FOREVER_S, Rejected),
        (replace(OWNER, system_id=SYSTEM + 1), FOREVER_S, Rejected),
        (None, 0.0, Take),
    ],
)
@pytest.mark.rule("new-timeline")
def test_a_restore_claims_the_archive_before_its_end(
    owner: Owner | None, unchanged_s: float, wanted: type[Take | TryAgain | Rejected]
) -> None:
    """With the number of its new timeline; never under a holder that may still write."""
    decided = reclaim(owner, claimant(), unchanged_s=unchanged_s, mark=MARK, new_timeline=8)
    assert type(decided) is wanted
    if isinstance(decided, Take):
        taken = decided.owner
        assert (taken.instance, taken.boot, taken.state) == ("ours", "our boot", "running")
        assert (taken.timeline, taken.lsn, taken.next_timeline) == (3, 21 * SIZE, 8)
        assert taken.epoch == (owner.epoch + 1 if owner else 1)
        assert taken.compression == (owner.compression if owner else "lz4")


def decide_promotion(
    owner: Owner, who: Claimant, *, unchanged_s: float = 0, new_timeline: int = 2
) -> Take | TryAgain | Rejected:
    """The decision on a standby that is to be promoted."""
    return promotion(owner, who, unchanged_s=unchanged_s, new_timeline=new_timeline)


def test_a_promotion_claims_what_was_given_up_with_its_new_timeline() -> None:
    """What was proven stays: the new owner goes on from there."""
    answer = decide_promotion(OWNER, claimant())
    assert isinstance(answer, Take)
    taken = answer.owner
    assert (taken.instance, taken.boot, taken.state) == ("ours", "our boot", "running")
    assert (taken.epoch, taken.timeline, taken.lsn) == (8, 1, OWNER.lsn)
    assert taken.next_timeline == 2


def test_a_promotion_waits_for_four_leases_of_silence() -> None:
    """Of the longer lease of the two."""
    assert isinstance(decide_promotion(RUNNING, claimant(), unchanged_s=59), TryAgain)
    assert isinstance(decide_promotion(RUNNING, claimant(), unchanged_s=60), Take)
    longer = claimant(lease_s=20.0)
    assert isinstance(decide_promotion(RUNNING, longer, unchanged_s=79), TryAgain)


def test_a_promotion_that_was_cut_off_is_claimed_again_at_once_by_its_own_instance() -> None:
    """It holds the directory's lock, so its earlier start is over."""
    cut_off = replace(RUNNING, instance="ours", boot="before", place="kernel:1:2", next_timeline=2)
    answer = decide_promotion(cut_off, claimant())
    assert isinstance(answer, Take)
    assert (answer.owner.boot, answer.owner.next_timeline) == ("our boot", 2)


def test_a_promotion_never_takes_another_clusters_archive_or_one_that_is_wiped() -> None:
    """Whatever time has passed."""
    for owner in (replace(OWNER, system_id=8), replace(OWNER, state="wiping")):
        assert isinstance(decide_promotion(owner, claimant(), unchanged_s=FOREVER_S), Rejected)


def test_a_standby_that_never_was_on_the_owners_timeline_proves_nothing_of_it() -> None:
    """Forced: it begins at its own checkpoint, and older base backups do not count."""
    answer = decide_promotion(replace(OWNER, timeline=3), claimant(), new_timeline=4)
    assert isinstance(answer, Take)
    taken = answer.owner
    assert (taken.timeline, taken.lsn, taken.backups_from) == (1, 12 * SIZE, 12 * SIZE)
    assert taken.next_timeline == 4


def test_what_was_claimed_before_a_promotion_reaches_no_further_than_the_directory() -> None:
    """A forced promotion leaves the old timeline before the end of what is archived of it."""
    left = (Switch(timeline=1, switch_lsn=9 * SIZE + 5, reason=""),)
    claimed = replace(RUNNING, instance="ours", boot="our boot", next_timeline=2)
    answer = decide(claimed, claimant(control=control(timeline=2), left=left))
    assert isinstance(answer, Take)
    assert answer.owner.lsn == 9 * SIZE


def test_a_living_rival_is_one_that_writes_while_we_watch() -> None:
    """One reading shows nothing; a stopped or silent one does not live; nor does our own start."""
    rivals, who = OwnerWatch(), claimant()
    rivals.unchanged_s(RUNNING.signed().to_json(), now_s())
    assert rivals.living(RUNNING, who, 0) is None
    rivals.unchanged_s(RUNNING.signed().to_json(), now_s())
    assert rivals.living(RUNNING, who, 0) == RUNNING
    assert rivals.living(RUNNING, who, 60) is None
    assert rivals.living(OWNER, who, 0) is None
    assert rivals.living(replace(RUNNING, boot="our boot"), who, 0) is None
