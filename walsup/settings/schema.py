"""The table of declared settings: the fields of `Settings`. docs/reference is printed from it."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from walsup import units
from walsup.settings import conninfo, parsers, recovery_targets
from walsup.settings.conninfo import Conninfo
from walsup.settings.declaration import Setting, declare
from walsup.settings.parsers import ArchiveUrl, FileArchive, HttpAddress
from walsup.system import default_pgdata, stop_grace


class Settings(NamedTuple):
    """Everything an operator can set. A field is its variable in lower case; `load` makes one.

    No dataclass: what that imports takes 10 ms of every start of a container.
    """

    # fmt: off
    pgdata: Path = declare("PGDATA", parsers.absolute,
        "The data directory. On a volume with `lost+found`, use a sub-directory.",
        default=Path(default_pgdata.USUAL), environment_only=True,
        shown="/var/lib/postgresql/data; with"
        " PG_MAJOR 18 or more /var/lib/postgresql/$PG_MAJOR/docker")
    pgport: int | None = declare("PGPORT", parsers.port,
        "PostgreSQL's port; passed to postgres as `-p` when set.", shown="PostgreSQL's")
    pg_bindir: Path | None = declare("PG_BINDIR", parsers.absolute,
        "The directory of PostgreSQL's programs.", shown="from PATH")
    postgres_user: str = declare("POSTGRES_USER", str,
        "The superuser of a new cluster.", default="postgres")
    postgres_password: str | None = declare("POSTGRES_PASSWORD", str,
        "The superuser's password; required for a new cluster, unless the host authentication is"
        " `trust`.", secret=True)
    postgres_db: str | None = declare("POSTGRES_DB", str,
        "The database that is created in a new cluster.", shown="POSTGRES_USER")
    app_user: str | None = declare("WALSUP_APP_USER", str,
        "An additional role of a new cluster, without superuser privileges; it owns POSTGRES_DB.")
    app_password: str | None = declare("WALSUP_APP_PASSWORD", str,
        "Password of WALSUP_APP_USER.", secret=True)
    postgres_initdb_args: str = declare("POSTGRES_INITDB_ARGS", parsers.words,
        "Additional arguments for initdb, such as `--wal-segsize=64 --locale=C.UTF-8`.", default="")
    postgres_initdb_waldir: Path | None = declare("POSTGRES_INITDB_WALDIR", parsers.absolute,
        "The directory of a new cluster's pg_wal; it must be empty, and can be on another volume.")
    postgres_host_auth_method: str | None = declare("POSTGRES_HOST_AUTH_METHOD", str,
        "The authentication method for network connections in a new cluster's pg_hba.conf;"
        " loopback is trusted, as in the official image.", shown="password_encryption's")
    initdb_dir: Path | None = declare("WALSUP_INITDB_DIR", parsers.absolute,
        "Scripts that run in a new cluster before its port opens.",
        shown="/docker-entrypoint-initdb.d, and KubeDB's /var/initdb")
    require_mount: bool = declare("WALSUP_REQUIRE_MOUNT", units.boolean,
        "Do not create a new cluster where it would be lost with the container (the container's"
        " root file system or an anonymous volume): an error in Kubernetes, otherwise a warning.",
        default=False, shown="on in the image, otherwise off")
    pguser: str | None = declare("WALSUP_PGUSER", str,
        "The role with which the agent and the engine log in over the unix socket.",
        shown="POSTGRES_USER")
    pgpassword: str | None = declare("WALSUP_PGPASSWORD", str,
        "Password of WALSUP_PGUSER, if pg_hba.conf requires one; only the agent and the engine"
        " read it. Set it as WALSUP_PGPASSWORD_FILE.", secret=True)
    socket_dir: Path | None = declare("WALSUP_SOCKET_DIR", parsers.absolute,
        "The directory of walsup's own PostgreSQL unix socket, in addition to those in"
        " unix_socket_directories.",
        shown="/var/run/postgresql when it is private or can be made private, otherwise the run"
            " directory")
    postgres_env: tuple[str, ...] = declare("WALSUP_POSTGRES_ENV", parsers.names,
        "Additional environment variables for PostgreSQL (names; `PREFIX_*` works). By default it"
        " gets PATH, HOME, TZ, LANG, LC_*, PG* and the variables of loaders and TLS libraries; it"
        " never gets a password or the bucket's variables (AWS_*, WALG_*).", default=(), shown=" ")
    archive: ArchiveUrl | FileArchive | None = declare("WALSUP_ARCHIVE", parsers.archive,
        "`s3://bucket/prefix` or `file:///directory`, one for each database. Without it nothing"
        " is archived, and the database is reported as not protected.",
        aliases=("WALG_S3_PREFIX", "WALG_FILE_PREFIX"))
    endpoint: str | None = declare("AWS_ENDPOINT", parsers.endpoint,
        "The S3 server; `https://` when no scheme is given. Requests are path-style. The address"
        " is used as given; `s3.amazonaws.com` and `s3.REGION.amazonaws.com` are the same as the"
        " default.",
        aliases=("AWS_ENDPOINT_URL", "WALG_S3_ENDPOINT"), shown="Amazon's")
    region: str | None = declare("AWS_REGION", parsers.unquoted,
        "The bucket's region.", aliases=("WALG_S3_REGION",),
        shown="us-east-1 with an endpoint, otherwise looked up at Amazon")
    ca_file: Path | None = declare("WALSUP_CA_FILE", parsers.absolute,
        "CA certificates (PEM) for the S3 server's certificate, used by the agent and the engine;"
        " a file CA_CERT_DATA in WALSUP_SECRETS_DIR has the same effect.",
        aliases=("WALG_S3_CA_CERT_FILE", "S3_CA_CERT_FILE", "AWS_CA_BUNDLE"), shown="the system's")
    access_key_id: str | None = declare("AWS_ACCESS_KEY_ID", parsers.unquoted,
        "Access key ID for the bucket. Without it, credentials of a role or an instance are used.",
        aliases=("AWS_ACCESS_KEY",), secret=True)
    secret_access_key: str | None = declare("AWS_SECRET_ACCESS_KEY", parsers.word,
        "Secret access key for the bucket.", aliases=("AWS_SECRET_KEY",), secret=True)
    session_token: str | None = declare("AWS_SESSION_TOKEN", parsers.word,
        "Session token, for temporary keys.", secret=True)
    engine: str = declare("WALSUP_ENGINE", parsers.choice("auto", "wal-g", "walrus"),
        "The engine that transfers WAL and base backups; `auto` uses `wal-g` when it is on PATH,"
        " otherwise `walrus`.",
        default="auto")
    compression: str | None = declare("WALSUP_COMPRESSION", parsers.choice("lz4", "zstd"),
        "Compression of a new archive; an existing archive keeps the compression recorded in its"
        " owner.json.",
        shown="zstd with walrus, lz4 with wal-g")
    lease_s: float = declare("WALSUP_LEASE", parsers.lease,
        "The interval at which the owner object in the archive is renewed. After 2.4 intervals"
        " without a renewal nothing is uploaded; after 4, another instance can take over. A push"
        " can take 1.6.",
        default=15.0, shown="15s")
    fence: str = declare("WALSUP_FENCE", parsers.choice("auto", "on", "off"),
        "Whether walsup stops a primary that might have been replaced: it cannot renew its lease,"
        " and a standby that streamed from it has acknowledged no WAL for a lease, so another"
        " instance can have been promoted. `auto`: with WALSUP_ROLE=auto or standby; `on`:"
        " always, also when no standby streams, so that an S3 outage stops the database; `off`:"
        " never.",
        default="auto")
    unsafe_owner: bool = declare("WALSUP_UNSAFE_OWNER", units.boolean,
        "Use an archive on an S3 server without conditional writes (ownership is written and read"
        " back).",
        default=False, shown="off")
    accept_same_device: bool = declare("WALSUP_ACCEPT_SAME_DEVICE", units.boolean,
        "Count an archive in a directory as protection although it is on the same device as the"
        " data directory, pg_wal or a tablespace. For trials.", default=False, shown="off")
    archive_timeout_s: int = declare("WALSUP_ARCHIVE_TIMEOUT", parsers.timeout,
        "The time after which a segment that is not full is archived, unless the operator's own"
        " settings contain an archive_timeout.", default=60, shown="60s")
    initial_backup: bool = declare("WALSUP_INITIAL_BACKUP", units.boolean,
        "Take a base backup as soon as the database is ready and the archive has none for it.",
        default=True, shown="on")
    on_empty_pgdata: str = declare("WALSUP_ON_EMPTY_PGDATA",
        parsers.choice("refuse", "restore", "initdb-new-path"),
        "What to do when the data directory is empty and the archive holds a cluster: `refuse`,"
        " `restore` it, or create a new cluster that archives below a new sub-path.",
        default="refuse")
    restore_from: ArchiveUrl | FileArchive | None = declare("WALSUP_RESTORE_FROM", parsers.archive,
        "An archive from which this database is restored when its data directory and its own"
        " archive are empty; it is only read. Its endpoint and keys: `RESTORE_AWS_…`,"
        " `RESTORE_WALG_…`; without any of them, those of WALSUP_ARCHIVE are used.", shown=" ")
    restore_secrets_dir: Path | None = declare("WALSUP_RESTORE_SECRETS_DIR", parsers.absolute,
        "Like WALSUP_SECRETS_DIR, for the source of a restore.", environment_only=True)
    restore_backup: str = declare("WALSUP_RESTORE_BACKUP", recovery_targets.backup,
        "The base backup from which the restore begins.", default="",
        shown="the newest before the target")
    restore_target_time: str = declare("WALSUP_RESTORE_TARGET_TIME", recovery_targets.moment,
        "Restore up to this moment; the time zone is required.", default="",
        shown="the end of the archive")
    restore_target_lsn: str = declare("WALSUP_RESTORE_TARGET_LSN", recovery_targets.lsn,
        "Restore up to this WAL position.", default="")
    restore_target_xid: str = declare("WALSUP_RESTORE_TARGET_XID", recovery_targets.xid,
        "Restore up to the end of this transaction.", default="")
    restore_target_name: str = declare("WALSUP_RESTORE_TARGET_NAME", recovery_targets.name,
        "Restore up to this restore point (pg_create_restore_point).", default="")
    restore_target_immediate: bool = declare("WALSUP_RESTORE_TARGET_IMMEDIATE", units.boolean,
        "Restore only the base backup, up to the point where it is consistent.", default=False,
        shown="off")
    restore_target_timeline: str = declare("WALSUP_RESTORE_TARGET_TIMELINE",
        recovery_targets.timeline,
        "The timeline to follow: `latest` (the timeline of the archive's owner), `current` (the"
        " timeline of the base backup) or a number.",
        default="latest")
    restore_target_inclusive: bool = declare("WALSUP_RESTORE_TARGET_INCLUSIVE", units.boolean,
        "Whether the restore includes the record exactly at the target.", default=True, shown="on")
    restore_target_action: str = declare("WALSUP_RESTORE_TARGET_ACTION",
        parsers.choice("promote", "pause", "shutdown"),
        "What to do at the target: `promote`, `pause` (read-only; then `select"
        " pg_wal_replay_resume()`) or `shutdown`.", default="promote")
    restore_accept_hole: str = declare("WALSUP_RESTORE_ACCEPT_HOLE", recovery_targets.segment,
        "End the restore before this segment, which is missing although later ones exist; their"
        " contents are lost.", default="")
    role: str = declare("WALSUP_ROLE", parsers.choice("primary", "standby", "auto"),
        "The role of this database: `primary`, or `standby` of another one, which is built from"
        " the archive's newest base backup and archives nothing until it is promoted. `auto`: pod"
        " 0 of a StatefulSet starts as the primary; afterwards the archive's owner is the"
        " primary.",
        default="primary")
    primary_conninfo: Conninfo | None = declare("WALSUP_PRIMARY_CONNINFO", conninfo.read,
        "How a standby connects to its primary: `host=… port=… user=… password=…`. With"
        " WALSUP_ARCHIVE it streams, and reads WAL that the primary no longer has from the"
        " archive.", secret=True)
    replication_user: str = declare("WALSUP_REPLICATION_USER", str,
        "The replication role of standbys.", default="walsup_replication")
    replication_password: str | None = declare("WALSUP_REPLICATION_PASSWORD", str,
        "Password of WALSUP_REPLICATION_USER; it must be the same on every instance. When it is"
        " set, the primary creates that role and limits the WAL that slots keep, and each standby"
        " has its own slot.", secret=True)
    http: HttpAddress = declare("WALSUP_HTTP", parsers.http,
        "The address of probes, metrics and status.",
        default=HttpAddress(host="", port=9351), shown=":9351, all addresses of IPv4 and IPv6")
    run_dir: Path | None = declare("WALSUP_RUN_DIR", parsers.absolute,
        "The directory of sockets, the state file and rendered settings (mode 0700; it contains"
        " secrets).",
        shown="/run/walsup, otherwise $XDG_RUNTIME_DIR/walsup, otherwise a directory in /tmp",
        environment_only=True)
    secrets_dir: Path | None = declare("WALSUP_SECRETS_DIR", parsers.absolute,
        "A directory of files named like the settings, as Kubernetes mounts a Secret. NAME and"
        " NAME_FILE take precedence.", environment_only=True)
    stop_grace_s: float = declare("WALSUP_STOP_GRACE", parsers.grace,
        "The maximum duration of a stop; keep it 5 s below terminationGracePeriodSeconds or the"
        " timeout of `docker stop`. Without an archive the default is always 25s.",
        default=stop_grace.ELSEWHERE_S, shown="25s in Kubernetes, otherwise 8s",
        environment_only=True)
    stop_patience_s: float = declare("WALSUP_STOP_PATIENCE", parsers.patience,
        "How long a stop waits for a bucket that does not answer; an error from the S3 server is"
        " an answer. The database is down during this time; WAL that is not archived stays on its"
        " disk, and the next start archives it.",
        default=20.0, shown="20s")
    log_format: str = declare("WALSUP_LOG_FORMAT", parsers.choice("auto", "json", "text"),
        "`auto` is text on a terminal, otherwise JSON.", default="auto", environment_only=True)
    termination_log: Path | None = declare("WALSUP_TERMINATION_LOG", parsers.absolute,
        "The file for the verdict of a stop or the reason why a start was refused.",
        shown="/dev/termination-log if it exists", environment_only=True)
    # fmt: on
    # `foreign`: what was made of others' names; `no_new_cluster`: which one asks for another way
    # to a data directory.
    passed_on: Mapping[str, str] = MappingProxyType({})
    warnings: tuple[str, ...] = ()
    source: "Settings | None" = None  # which read restore_from
    source_faults: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    no_new_cluster: str = ""
    # What the deadline of a push follows: a default for docker's sake must not shorten it.
    push_grace_s: float = stop_grace.IN_KUBERNETES_S

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may be shown nowhere."""
        own = (_text(getattr(self, row.field)) for row in declared() if row.secret)
        engines = (text for name, text in self.passed_on.items() if is_secret(name))
        sources = self.source.secrets if self.source else ()
        return tuple(text for text in (*own, *engines, *sources) if text)

    @property
    def database_role(self) -> str:
        """The role that agent and engine log in as."""
        return self.pguser or self.postgres_user

    def __repr__(self) -> str:
        """Show what is no secret; what is passed on may hold some."""
        shown = (
            f"{row.field}={getattr(self, row.field)!r}" for row in declared() if not row.secret
        )
        return f"Settings({', '.join(shown)})"


def _text(value: "str | Conninfo | None") -> str | None:
    return value.password if isinstance(value, Conninfo) else value


def is_secret(name: str) -> bool:
    """Return whether a setting of the engine's holds a secret itself, not where one is."""
    return name.endswith(("_KEY", "_PASSPHRASE", "_TOKEN", "_SSE_C", "_PASSWORD", "_SECRET"))


_ROWS: tuple[Setting[object], ...] = tuple(
    row._replace(field=field)
    for field, row in Settings._field_defaults.items()
    if isinstance(row, Setting)
)


def declared() -> tuple[Setting[object], ...]:
    """Return the rows of the table, in its order."""
    return _ROWS


def with_fields(settings: Settings, values: Mapping[str, object]) -> Settings:
    """Return the settings with some of the fields replaced; each value comes from its row."""
    return settings._replace(**cast("dict[str, Any]", dict(values)))


def defaults() -> Settings:
    """Return the settings of an environment without any."""
    return with_fields(Settings(), {row.field: row.default for row in _ROWS})
