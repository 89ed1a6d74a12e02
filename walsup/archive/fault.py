"""What went wrong, in the class that says who must act, with one line of what to do. Pure."""

from typing import NamedTuple

# The bucket does not answer, or not now: it may later, and nobody has to do anything.
PASSING = ("timeout", "throttled", "server error", "no S3 server", "refused", "dns")
# These say only that it does not work.
UNCLEAR = ("engine broken", "unknown")
REMEDIES = {
    "auth": "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role's token",
    "no rights": "give the key the right that is named; README's “Rights of the key” has them all",
    "clock skew": "set this machine's clock; S3 refuses requests signed 15 minutes off",
    "dns": "check the host name in AWS_ENDPOINT and the pod's name resolution",
    "tls": "check that the endpoint speaks TLS; for a CA of your own set WALSUP_CA_FILE",
    "refused": "check AWS_ENDPOINT and whether the S3 server runs; nothing listens there",
    "timeout": "check the network between here and the S3 server, and the server's load",
    "throttled": "the S3 server asks for fewer requests; it is retried, more slowly",
    "archive full": "make room on the S3 server, or raise the quota of the bucket or the account;"
    " it is retried, and WAL waits in pg_wal",
    "no S3 server": "check host and port in AWS_ENDPOINT: what answers there does not speak S3 (a"
    " console, a proxy, a login page?)",
    "server error": "look at the S3 server's own log; it is retried",
    "no bucket": "create the bucket named in WALSUP_ARCHIVE, or correct the name",
    "wrong region": "set AWS_REGION to the region of the bucket",
    "overwrite conflict": "another instance writes to this archive, or has: look at owner.json",
    "not the owner": "point WALSUP_ARCHIVE to a prefix of this database's own",
    "owner removed": "find out who deletes objects there; then, to claim it anew with a new base"
    " backup, run: walsup adopt",
    "bucket ahead": "empty the data directory and restore with WALSUP_ON_EMPTY_PGDATA=restore (a"
    " new timeline), or point WALSUP_ARCHIVE to a new prefix, where a new base backup is taken;"
    " until then WAL waits",
    "no conditional writes": "use a server that honours them; or, when no other database can be"
    " given this prefix, set WALSUP_UNSAFE_OWNER=1",
    "address in use": "another program listens there: set WALSUP_HTTP to a free address, or stop"
    " that program",
    "same device": "put the archive on another device, or into a bucket; or accept that, for a"
    " trial, with WALSUP_ACCEPT_SAME_DEVICE=on",
    "disk full": "make room on the volume of the data directory",
    "out of memory": "give the container more memory (its limit), and look for what else takes it",
    "engine missing": "put wal-g, or walrus, on PATH and start again",
    "engine unable": "take the settings away that this engine ignores, or use the other engine",
    "engine disagrees": "restores need the engine to list and read it: check the key's rights"
    " (s3:ListBucket, s3:GetObject, kms:Decrypt), the encryption key and the storage class",
    "no private key": "give this container the private key, with its passphrase",
    "engine broken": "look at the engine's own lines in this log",
    "left out": "move what is named into the data directory, or give it to the database's user",
    "not continued": "restores end before it: take a new base backup with the engine (backup-push)",
    "hole": "restores end there: take a new base backup with the engine (backup-push)",
    "damaged": "find out what deletes or overwrites objects below the archive's prefix",
    "base backup damaged": "take a new base backup with the engine (backup-push)",
    "foreign timeline": "give the other server that archives here a prefix of its own",
    "not following": "look at postgres's own lines in this log: what does it wait for?",
    "tablespace": "mount a volume of this instance's own at that path, or make that"
    " directory, empty, for the database's user, and start again",
    "process stopped": "find out what stopped it, and let it continue with SIGCONT",
    "log": "look at what reads this container's log (the container's runtime, a log driver), and at"
    " the room on its disk; the database and its archive do not wait for it",
    "database login": "let the role log in over the unix socket (pg_hba.conf)",
    "commits wait": "start the standbys that are named; to go on without them, take them out of"
    " synchronous_standby_names and reload: the commits that wait then end",
    "database setting": "change the setting that is named: of the server, the database or the role",
    "collation": "REINDEX what depends on it (REINDEX DATABASE), then ALTER DATABASE … or ALTER"
    " COLLATION … REFRESH COLLATION VERSION",
    "unknown": "look at the problem's own words, and at the log around it",
}


class Fault(NamedTuple):
    """A class of REMEDIES, and what happened, without secrets."""

    kind: str
    problem: str
    remedy: str = ""

    @property
    def cure(self) -> str:
        """What to do: the fault's own line, else that of its class."""
        return self.remedy or REMEDIES[self.kind]


class FaultError(Exception):
    """A fault found on the way to the bucket, raised where a request would have been made."""

    def __init__(self, fault: Fault) -> None:
        """Keep the fault, which `classify` gives back."""
        super().__init__(fault.problem)
        self.fault = fault
