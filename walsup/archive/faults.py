"""What went wrong: the class, which decides the person that must act, and the remedy. Pure."""

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
        """Return the class that another process, or another version, wrote; otherwise UNKNOWN."""
        return next((kind for kind in cls if kind == text), cls.UNKNOWN)


# The bucket does not answer now; it may later, and no action is needed.
PASSING = (
    FaultKind.TIMEOUT,
    FaultKind.THROTTLED,
    FaultKind.SERVER_ERROR,
    FaultKind.NO_S3_SERVER,
    FaultKind.REFUSED,
    FaultKind.DNS,
)
# These say only that something does not work.
UNCLEAR = (FaultKind.ENGINE_BROKEN, FaultKind.UNKNOWN)
REMEDIES: dict[FaultKind, str] = {
    FaultKind.AUTH: "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role's token",
    FaultKind.NO_RIGHTS: "grant the access key the permission named above; docs/permissions.md"
    " lists them all",
    FaultKind.CLOCK_SKEW: "set this machine's clock; S3 rejects requests whose time is off by 15"
    " minutes or more",
    FaultKind.DNS: "check the host name in AWS_ENDPOINT and the pod's name resolution",
    FaultKind.TLS: "check that the endpoint uses TLS; for a private CA set WALSUP_CA_FILE",
    FaultKind.REFUSED: "check AWS_ENDPOINT, and that the S3 server runs; nothing listens at that"
    " address",
    FaultKind.TIMEOUT: "check the network between this container and the S3 server, and the"
    " server's load",
    FaultKind.THROTTLED: "no action is needed unless it persists: the S3 server limits the"
    " request rate, and walsup retries more slowly",
    FaultKind.ARCHIVE_FULL: "free space on the S3 server, or raise the quota of the bucket or the"
    " account; walsup retries, and WAL waits in pg_wal",
    FaultKind.NO_S3_SERVER: "check host and port in AWS_ENDPOINT: the server that answers is not"
    " an S3 server (a console, a proxy, a login page?)",
    FaultKind.SERVER_ERROR: "check the S3 server's log; walsup retries",
    FaultKind.NO_BUCKET: "create the bucket named in WALSUP_ARCHIVE, or correct the name",
    FaultKind.WRONG_REGION: "set AWS_REGION to the region of the bucket",
    FaultKind.OVERWRITE_CONFLICT: "check owner.json: another instance writes to this archive, or"
    " has written to it",
    FaultKind.NOT_THE_OWNER: "set WALSUP_ARCHIVE to a prefix that only this database uses",
    FaultKind.OWNER_REMOVED: "find out what deletes objects there; then run `walsup adopt` to"
    " claim the archive again with a new base backup",
    FaultKind.BUCKET_AHEAD: "empty the data directory and restore with"
    " WALSUP_ON_EMPTY_PGDATA=restore (a new timeline), or set WALSUP_ARCHIVE to a new prefix,"
    " where a new base backup is taken; until then WAL waits in pg_wal",
    FaultKind.NO_CONDITIONAL_WRITES: "use a server that supports them; or, if no other database"
    " can use this prefix, set WALSUP_UNSAFE_OWNER=1",
    FaultKind.ADDRESS_IN_USE: "set WALSUP_HTTP to a free address, or stop the program that"
    " listens there",
    FaultKind.SAME_DEVICE: "put the archive on another device or into a bucket; for a trial, set"
    " WALSUP_ACCEPT_SAME_DEVICE=on",
    FaultKind.DISK_FULL: "free space on the volume of the data directory",
    FaultKind.OUT_OF_MEMORY: "raise the container's memory limit, and check what else uses memory",
    FaultKind.ENGINE_MISSING: "install wal-g or walrus on PATH, and start again",
    FaultKind.ENGINE_UNABLE: "unset the settings that this engine does not support, or use the"
    " other engine",
    FaultKind.ENGINE_DISAGREES: "check the access key's permissions (s3:ListBucket, s3:GetObject,"
    " kms:Decrypt), the encryption key and the storage class: a restore needs the engine to"
    " list and read it",
    FaultKind.NO_PRIVATE_KEY: "give this container the private key and its passphrase",
    FaultKind.ENGINE_BROKEN: "check the engine's lines in this log",
    FaultKind.LEFT_OUT: "move the named files into the data directory, or change their owner to"
    " the database's user",
    FaultKind.NOT_CONTINUED: "take a new base backup with the engine (backup-push): restores end"
    " before the gap",
    FaultKind.HOLE: "take a new base backup with the engine (backup-push): restores end there",
    FaultKind.DAMAGED: "find out what deletes or overwrites objects below the archive's prefix",
    FaultKind.BASE_BACKUP_DAMAGED: "take a new base backup with the engine (backup-push)",
    FaultKind.FOREIGN_TIMELINE: "give the other server that archives here its own prefix",
    FaultKind.NOT_FOLLOWING: "check postgres's lines in this log for what it waits for",
    FaultKind.TABLESPACE: "mount a volume for this instance at that path, or create an empty"
    " directory there for the database's user, and start again",
    FaultKind.PROCESS_STOPPED: "find out what stopped it, and continue it with SIGCONT",
    FaultKind.LOG: "check what reads this container's log (the container runtime, a log driver)"
    " and the free space on its disk; the database and archiving do not wait for the log",
    FaultKind.DATABASE_LOGIN: "allow the role to log in over the unix socket (pg_hba.conf)",
    FaultKind.COMMITS_WAIT: "start the named standbys; to continue without them, remove them from"
    " synchronous_standby_names and reload: the waiting commits then return",
    FaultKind.DATABASE_SETTING: "change the named setting of the server, the database or the role",
    FaultKind.COLLATION: "run REINDEX on what depends on it (REINDEX DATABASE), then ALTER"
    " DATABASE … or ALTER COLLATION … REFRESH COLLATION VERSION",
    FaultKind.UNKNOWN: "check the message above, and the log lines around it",
}


def help_of(kind: FaultKind) -> str:
    """Return the page and heading of the repository that explain a class."""
    return f"docs/troubleshooting.md#{kind.lower().replace(' ', '-')}"


class Fault(NamedTuple):
    """A class of REMEDIES, and what happened, without secrets."""

    kind: FaultKind
    problem: str
    remedy: str = ""

    @property
    def cure(self) -> str:
        """Return what to do: the fault's own remedy, or that of its class."""
        return self.remedy or REMEDIES.get(self.kind, REMEDIES[FaultKind.UNKNOWN])


class FaultError(Exception):
    """A fault that was found before a request was made, raised in place of the request."""

    def __init__(self, fault: Fault) -> None:
        """Keep the fault, which `classify` returns."""
        super().__init__(fault.problem)
        self.fault = fault
