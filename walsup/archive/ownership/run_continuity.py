"""Whether this run's WAL continues what the archive's owner object records. Pure."""

from walsup.archive.engine import encryption_key
from walsup.archive.owner_record import Owner
from walsup.datadir.continuity import CheckpointPosition, Note
from walsup.postgres.pg_control import DBState


def why_not(owner: Owner, note: Note | None, boot: str, key: str, timeline: int) -> str:
    """Return why the archive needs a new base backup; "": this run continues the archive.

    `owner`: as it was, or about to be written with its old values. `note`: of this run, None when
    the data directory has none. `key`: the fingerprint of the present encryption key. `timeline`:
    the one that postgres writes on now; what this run found may be from before a promotion.
    """
    if is_other_key(owner, key):
        return (
            f"what the archive has is {encryption_key.words(owner.encryption)} with another key or"
            " method than this run's settings name: what is written from now on is"
            f" {encryption_key.words(key)}, and no restore reads both"
        )
    if note is None:
        return "the data directory's note of this run is missing"
    if note.broken:
        return note.broken
    if owner.position is None or not _is_earlier_run(owner, boot):
        return ""
    if owner.position.timeline != timeline:
        return ""  # a promotion or a restore began another, with its own base backups
    return _why_not_from(owner.position, note)


def began_at(owner: Owner, note: Note | None, boot: str) -> int:
    """Return where this run's server began to write; 0: not known, or it has archived since."""
    shut_down = note is not None and note.start.state is DBState.SHUT_DOWN
    if note is None or not shut_down or not _is_earlier_run(owner, boot):
        return 0  # after a crash it has replayed what is in pg_wal
    return note.start.checkpoint_lsn if note.start.timeline == owner.timeline else 0


def is_other_key(owner: Owner, key: str) -> bool:
    """Return whether the archive was written with another key; False when that is not known."""
    return bool(owner.encryption and key and owner.encryption != key)


def _is_earlier_run(owner: Owner, boot: str) -> bool:
    """Return whether an earlier run of this data directory wrote the owner's position.

    Another instance's timeline was continued here under a new number, or an operator adopted it.
    """
    is_own = owner.position_instance == owner.instance
    return is_own and owner.position_boot != boot


def _why_not_from(left: CheckpointPosition, note: Note) -> str:
    """Return why the directory, as this run found it, is not the one that the owner left.

    The note of the directory may be newer (the bucket did not answer at the end), or may have been
    copied along with an older directory.
    """
    found = note.start
    if found.timeline != left.timeline:
        return ""  # base backups of another timeline do not count anyway
    if note.is_first and found != left:
        return (
            "the data directory has no note of the previous run; the archive's owner object"
            f" has {left}, but this run found {found}"
        )
    went_back = found.checkpoint_lsn < left.checkpoint_lsn
    if went_back or (found.checkpoint_lsn == left.checkpoint_lsn and found.at != left.at):
        return (
            f"the data directory is not the archive's last owner: the owner object has {left},"
            f" but this run found {found}"
        )
    return ""
