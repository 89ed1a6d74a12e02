"""What went wrong, in the class that says who must act, with one line of what to do. Pure."""

from enum import StrEnum
from typing import NamedTuple


class FaultKind(StrEnum):
    """The class of a fault; its value is shown in `/status`, the metrics and the log."""

    AUTH = "auth"
    NO_RIGHTS = "no rights"
    CLOCK_SKEW = "clock skew"
    DNS = "dns"
    TLS = "tls"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    THROTTLED = "throttled"
    ARCHIVE_FULL = "archive full"
    NO_S3_SERVER = "no S3 server"
    SERVER_ERROR = "server error"
    NO_BUCKET = "no bucket"
    WRONG_REGION = "wrong region"
    OVERWRITE_CONFLICT = "overwrite conflict"
    NOT_THE_OWNER = "not the owner"
    OWNER_REMOVED = "owner removed"
    BUCKET_AHEAD = "bucket ahead"
    NO_CONDITIONAL_WRITES = "no conditional writes"
    ADDRESS_IN_USE = "address in use"
    SAME_DEVICE = "same device"
    DISK_FULL = "disk full"
    OUT_OF_MEMORY = "out of memory"
    ENGINE_MISSING = "engine missing"
    ENGINE_UNABLE = "engine unable"
    ENGINE_DISAGREES = "engine disagrees"
    NO_PRIVATE_KEY = "no private key"
    ENGINE_BROKEN = "engine broken"
    LEFT_OUT = "left out"
    NOT_CONTINUED = "not continued"
    HOLE = "hole"
    DAMAGED = "damaged"
    BASE_BACKUP_DAMAGED = "base backup damaged"
    FOREIGN_TIMELINE = "foreign timeline"
    NOT_FOLLOWING = "not following"
    TABLESPACE = "tablespace"
    PROCESS_STOPPED = "process stopped"
    LOG = "log"
    DATABASE_LOGIN = "database login"
    COMMITS_WAIT = "commits wait"
    DATABASE_SETTING = "database setting"
    COLLATION = "collation"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, text: str) -> "FaultKind":
        """Return the class that another process, or another version, has written; else UNKNOWN."""
        return next((kind for kind in cls if kind == text), cls.UNKNOWN)


# The bucket does not answer, or not now: it may later, and nobody has to do anything.
PASSING = (
    FaultKind.TIMEOUT,
    FaultKind.THROTTLED,
    FaultKind.SERVER_ERROR,
    FaultKind.NO_S3_SERVER,
    FaultKind.REFUSED,
    FaultKind.DNS,
)
# These say only that it does not work.
UNCLEAR = (FaultKind.ENGINE_BROKEN, FaultKind.UNKNOWN)
REMEDIES: dict[FaultKind, str] = {
    FaultKind.AUTH: "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role's token",
    FaultKind.NO_RIGHTS: "give the key the right that is named; docs/permissions.md has them all",
    FaultKind.CLOCK_SKEW: "set this machine's clock; S3 refuses requests signed 15 minutes off",
    FaultKind.DNS: "check the host name in AWS_ENDPOINT and the pod's name resolution",
    FaultKind.TLS: "check that the endpoint speaks TLS; for a CA of your own set WALSUP_CA_FILE",
    FaultKind.REFUSED: "check AWS_ENDPOINT and whether the S3 server runs; nothing listens there",
    FaultKind.TIMEOUT: "check the network between here and the S3 server, and the server's load",
    FaultKind.THROTTLED: "the S3 server asks for fewer requests; it is retried, more slowly",
    FaultKind.ARCHIVE_FULL: "make room on the S3 server, or raise the quota of the bucket or the"
    " account; it is retried, and WAL waits in pg_wal",
    FaultKind.NO_S3_SERVER: "check host and port in AWS_ENDPOINT: what answers there does not"
    " speak S3 (a console, a proxy, a login page?)",
    FaultKind.SERVER_ERROR: "look at the S3 server's own log; it is retried",
    FaultKind.NO_BUCKET: "create the bucket named in WALSUP_ARCHIVE, or correct the name",
    FaultKind.WRONG_REGION: "set AWS_REGION to the region of the bucket",
    FaultKind.OVERWRITE_CONFLICT: "another instance writes to this archive, or has: look at"
    " owner.json",
    FaultKind.NOT_THE_OWNER: "point WALSUP_ARCHIVE to a prefix of this database's own",
    FaultKind.OWNER_REMOVED: "find out who deletes objects there; then, to claim it anew with a"
    " new base backup, run: walsup adopt",
    FaultKind.BUCKET_AHEAD: "empty the data directory and restore with"
    " WALSUP_ON_EMPTY_PGDATA=restore (a new timeline), or point WALSUP_ARCHIVE to a new prefix,"
    " where a new base backup is taken; until then WAL waits",
    FaultKind.NO_CONDITIONAL_WRITES: "use a server that honours them; or, when no other database"
    " can be given this prefix, set WALSUP_UNSAFE_OWNER=1",
    FaultKind.ADDRESS_IN_USE: "another program listens there: set WALSUP_HTTP to a free address,"
    " or stop that program",
    FaultKind.SAME_DEVICE: "put the archive on another device, or into a bucket; or accept that,"
    " for a trial, with WALSUP_ACCEPT_SAME_DEVICE=on",
    FaultKind.DISK_FULL: "make room on the volume of the data directory",
    FaultKind.OUT_OF_MEMORY: "give the container more memory (its limit), and look for what else"
    " takes it",
    FaultKind.ENGINE_MISSING: "put wal-g, or walrus, on PATH and start again",
    FaultKind.ENGINE_UNABLE: "take the settings away that this engine ignores, or use the other"
    " engine",
    FaultKind.ENGINE_DISAGREES: "restores need the engine to list and read it: check the key's"
    " rights (s3:ListBucket, s3:GetObject, kms:Decrypt), the encryption key and the storage class",
    FaultKind.NO_PRIVATE_KEY: "give this container the private key, with its passphrase",
    FaultKind.ENGINE_BROKEN: "look at the engine's own lines in this log",
    FaultKind.LEFT_OUT: "move what is named into the data directory, or give it to the database's"
    " user",
    FaultKind.NOT_CONTINUED: "restores end before it: take a new base backup with the engine"
    " (backup-push)",
    FaultKind.HOLE: "restores end there: take a new base backup with the engine (backup-push)",
    FaultKind.DAMAGED: "find out what deletes or overwrites objects below the archive's prefix",
    FaultKind.BASE_BACKUP_DAMAGED: "take a new base backup with the engine (backup-push)",
    FaultKind.FOREIGN_TIMELINE: "give the other server that archives here a prefix of its own",
    FaultKind.NOT_FOLLOWING: "look at postgres's own lines in this log: what does it wait for?",
    FaultKind.TABLESPACE: "mount a volume of this instance's own at that path, or make that"
    " directory, empty, for the database's user, and start again",
    FaultKind.PROCESS_STOPPED: "find out what stopped it, and let it continue with SIGCONT",
    FaultKind.LOG: "look at what reads this container's log (the container's runtime, a log"
    " driver), and at the room on its disk; the database and its archive do not wait for it",
    FaultKind.DATABASE_LOGIN: "let the role log in over the unix socket (pg_hba.conf)",
    FaultKind.COMMITS_WAIT: "start the standbys that are named; to go on without them, take them"
    " out of synchronous_standby_names and reload: the commits that wait then end",
    FaultKind.DATABASE_SETTING: "change the setting that is named: of the server, the database or"
    " the role",
    FaultKind.COLLATION: "REINDEX what depends on it (REINDEX DATABASE), then ALTER DATABASE … or"
    " ALTER COLLATION … REFRESH COLLATION VERSION",
    FaultKind.UNKNOWN: "look at the problem's own words, and at the log around it",
}


class Fault(NamedTuple):
    """A class of REMEDIES, and what happened, without secrets."""

    kind: FaultKind
    problem: str
    remedy: str = ""

    @property
    def cure(self) -> str:
        """What to do: the fault's own line, else that of its class."""
        return self.remedy or REMEDIES.get(self.kind, REMEDIES[FaultKind.UNKNOWN])


class FaultError(Exception):
    """A fault found on the way to the bucket, raised where a request would have been made."""

    def __init__(self, fault: Fault) -> None:
        """Keep the fault, which `classify` gives back."""
        super().__init__(fault.problem)
        self.fault = fault
