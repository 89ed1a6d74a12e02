"""The frozen snapshot of what the loops have observed; health, status and metrics read only it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from walsup.agent.lag_meter import Lag
from walsup.agent.states import AuditState, BackupState, GateState, RestorePhase, StandbyPhase
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault
from walsup.postgres.backup_exclusions import LeftOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Pid1State:
    """PID 1's state file."""

    phase: str = "starting"
    detail: str = ""
    postgres_pid: int = 0
    engine_pid: int = 0
    engine_generation: int = 0
    engine_restarts: int = 0
    agent_restarts: int = 0
    log_dropped_lines: int = 0
    log_stalls: str = ""  # why the container's log is blocked now
    reloads: int = 0
    stop_deadline_s: float = 0.0

    @property
    def stopping(self) -> bool:
        """Whether a stop has begun."""
        return self.phase in ("stopping", "sweeping", "ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    """The server as SQL shows it, if `observed`. `timeline` 0: not known (a standby)."""

    accepting: bool = False
    observed: bool = False
    role: str = "primary"
    current_lsn: int = 0
    timeline: int = 0
    xmax: int = 0
    xmin: int = 0
    failed_count: int = 0
    last_failed_wal: str = ""
    archive_timeout_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConnection:
    """The last new connection to postgres: why it got no answer, or what the answer says."""

    problem: str = ""
    full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Whether archiving is enabled: `none` (no archive), `shut`, `opening` or `open`.

    `standby`: disabled as long as this instance is a standby.
    `daemon`: whether the engine's daemon pushes the WAL; if not, each push starts the engine.
    """

    state: GateState = GateState.NONE
    reason: str = ""
    engine: str = ""
    compression: str = ""
    epoch: int = 0
    origin_lsn: int = 0
    daemon: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits in pg_wal: `.ready` files, the oldest one's age, the free bytes."""

    ready: int = 0
    oldest: str = ""
    oldest_age_s: float = 0.0
    free_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WalDisk:
    """pg_wal's file system: when it is full if nothing changes, and the reserved bytes in it."""

    full_in_s: float | None = None
    reserve_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSeen:
    """The newest base backup in the bucket, and its state.

    `state`: `proven` when the engine has read it, `listed` when all of it is in the bucket and
    cannot be decrypted here. `verified`: how, in words; "": not yet.
    """

    state: BackupState = BackupState.UNKNOWN
    name: str = ""
    finished_at: str = ""
    attempts: int = 0
    verified: str = ""

    @property
    def counts(self) -> bool:
        """Whether a restore can begin with it."""
        return self.state in (BackupState.PROVEN, BackupState.LISTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A gap: segments that the archive lost, from `first` to the one before `end_lsn`.

    `covered_by`: a verified base backup that starts after it; no restore passes the gap.
    """

    first: str
    last: str
    end_lsn: int
    covered_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the audit by listing has found.

    `state`: `none` (nothing is archived), `waiting` for this run's first full round, `passed` or
    `findings`. `finished_at`: the end of the last full round, of an earlier run perhaps (Unix
    seconds, 0: there was none); `looked_at`: that of the last round, the newest day's included.
    `from_backup`, `from_lsn`, `until_lsn`: the range that was listed without a gap; it may have
    several base backups. `due_s`: how old a full round may become. `backups_from`: base backups
    before this LSN do not count, because the archive was reset to an earlier state.
    """

    state: AuditState = AuditState.NONE
    finished_at: float = 0.0
    looked_at: float = 0.0
    took_s: float = 0.0
    due_s: float = 0.0
    objects: int = 0
    ignored: int = 0
    backups: int = 0
    from_backup: str = ""
    from_lsn: int = 0
    until_lsn: int = 0
    missing: int = 0
    damaged: int = 0
    unread: int = 0
    backups_from: int = 0
    unfit_backups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreState:
    """A restore: `none`, `fetching` (bytes), `recovering` (segments), `promoted` or `done`.

    `left_s`: the remaining time at this rate, None when that is not known; `still_s`: for how
    long it has not left a segment.
    """

    phase: RestorePhase = RestorePhase.NONE
    source: str = ""
    backup: str = ""
    target: str = ""
    bytes: int = 0
    total_bytes: int = 0
    segment: str = ""
    lsn: int = 0
    segments: int = 0
    total_segments: int = 0
    percent: int = 0
    left_s: float | None = None
    still_s: int = 0
    ended_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """A standby: `none`, `following` or `promoted` in this run.

    `source`: where its WAL comes from now, `streaming`, `archive` or `nowhere`. `archived_lsn`: the
    end of the archive, 0 when that is not known; `looked_at`: when it was listed (Unix seconds).
    `at_end`: everything that the archive had was read by then. `primary_lsn`: the end of the
    primary's WAL as the stream reports it, 0 without one. `still_s`: for how long replay has stood
    at `replay_lsn`. `paused`: replay is paused. `apply_delay_s`: recovery_min_apply_delay.
    `endless`: the settings by which replay waits for queries without an end, "" when none does.
    """

    phase: StandbyPhase = StandbyPhase.NONE
    source: str = "nowhere"
    streams: bool = False
    replay_lsn: int = 0
    archived_lsn: int = 0
    looked_at: float = 0.0
    at_end: bool = False
    primary_lsn: int = 0
    still_s: float = 0.0
    paused: bool = False
    apply_delay_s: float = 0.0
    endless: str = ""

    @property
    def behind_bytes(self) -> int:
        """By how many bytes it lags behind the archive."""
        return max(0, self.archived_lsn - self.replay_lsn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """How the run before this one ended: `unknown`, `stopped` (with a verdict) or `crashed`.

    `at`: when the verdict was given (Unix seconds); `told_by`: `data directory` or `archive`.
    """

    how: str = "unknown"
    verdict: str = ""
    at: float = 0.0
    told_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An active fault, and since when (Unix seconds)."""

    fault: Fault
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All observations at one moment; `faults`: the active ones by subject.

    `attention`: by subject, what needs a person but does not reduce protection.

    `boot` names this start of the container, `place` the data directory on this machine: a command
    compares them with its own. `shared_with`: what of the data directory is lost together with an
    archive in a directory, "" when nothing is, None when that is not known. `left_out`: what base
    backups leave out of the data directory, None: not checked in this run.
    """

    archive: str | None
    boot: str = ""
    pgdata: str = ""
    place: str = ""
    shared_with: str | None = None
    wanted_role: str = "primary"
    system_id: int = 0
    segment_bytes: int = 0
    init: Pid1State = field(default_factory=Pid1State)
    database: DatabaseState = field(default_factory=DatabaseState)
    connection: NewConnection = field(default_factory=NewConnection)
    gate: Gate = field(default_factory=Gate)
    lag: Lag = field(default_factory=Lag)
    waiting: Waiting = field(default_factory=Waiting)
    disk: WalDisk = field(default_factory=WalDisk)
    backup: BackupSeen = field(default_factory=BackupSeen)
    left_out: tuple[LeftOut, ...] | None = None
    restore: RestoreState = field(default_factory=RestoreState)
    standby: Standby = field(default_factory=Standby)
    previous: Previous = field(default_factory=Previous)
    holes: tuple[Hole, ...] = ()
    audit: Audit = field(default_factory=Audit)
    faults: Mapping[Subject, Standing] = field(default_factory=dict)
    attention: Mapping[Subject, Standing] = field(default_factory=dict)
    times: Mapping[str, float] = field(default_factory=dict)
    at: float = 0.0
    now_s: float = 0.0

    @property
    def needs_backup_from(self) -> int:
        """The LSN at or after which the next base backup has to start: after the last open gap."""
        holes = (hole.end_lsn for hole in self.holes if not hole.covered_by)
        return max(self.audit.backups_from, *holes, 0)
