"""The table of declared settings: the fields of `Settings`. README's section is printed from it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path

from walsup import units
from walsup.settings import values
from walsup.settings.values import ArchiveUrl, HttpAddress


def _declare(  # noqa: PLR0913 (a row of the table)
    name: str,
    read: Callable[[str], object],
    default: object = None,
    *,
    shown: str = "",
    aliases: tuple[str, ...] = (),
    secret: bool = False,
    pid1: bool = False,
    says: str,
) -> object:
    return field(
        default=default,
        repr=not secret,
        metadata={
            "name": name,
            "read": read,
            "shown": shown or ("" if default is None else str(default)),
            "aliases": aliases,
            "secret": secret,
            "pid1": pid1,
            "says": says,
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an operator can set. A field is its variable in lower case."""

    # fmt: off
    pgdata: Path = _declare("PGDATA", values.absolute, Path("/var/lib/postgresql/data"), pid1=True, says="The data directory. On a volume with `lost+found` use a sub-directory.")  # type: ignore[assignment]
    pgport: int | None = _declare("PGPORT", values.port, says="PostgreSQL's port; given as `-p` when set.")  # type: ignore[assignment]
    pg_bindir: Path | None = _declare("PG_BINDIR", values.absolute, shown="from PATH", says="Where PostgreSQL's programs are.")  # type: ignore[assignment]
    postgres_user: str = _declare("POSTGRES_USER", str, "postgres", says="The superuser that a new cluster gets.")  # type: ignore[assignment]
    postgres_password: str | None = _declare("POSTGRES_PASSWORD", str, secret=True, says="The superuser's password; required for a new cluster, unless the host authentication is `trust`.")  # type: ignore[assignment]
    postgres_db: str | None = _declare("POSTGRES_DB", str, shown="POSTGRES_USER", says="The database that a new cluster gets.")  # type: ignore[assignment]
    postgres_initdb_args: str = _declare("POSTGRES_INITDB_ARGS", str, "", says="More arguments for initdb, such as `--wal-segsize=64 --locale=C.UTF-8`.")  # type: ignore[assignment]
    postgres_initdb_waldir: Path | None = _declare("POSTGRES_INITDB_WALDIR", values.absolute, says="Where a new cluster keeps pg_wal (an empty directory, on another volume perhaps).")  # type: ignore[assignment]
    postgres_host_auth_method: str = _declare("POSTGRES_HOST_AUTH_METHOD", str, "scram-sha-256", says="The method for connections over the network, in a new cluster's pg_hba.conf.")  # type: ignore[assignment]
    pguser: str | None = _declare("WALSUP_PGUSER", str, shown="POSTGRES_USER", says="The role under which agent and engine log in over the unix socket.")  # type: ignore[assignment]
    socket_dir: Path | None = _declare("WALSUP_SOCKET_DIR", values.absolute, shown="/var/run/postgresql when it is private, else the run directory", says="Directory of PostgreSQL's unix socket, unless the operator's own settings name one.")  # type: ignore[assignment]
    postgres_env: tuple[str, ...] = _declare("WALSUP_POSTGRES_ENV", values.names, (), shown=" ", says="More variables that PostgreSQL may see (names; `PREFIX_*` works). Of itself it gets PATH, HOME, TZ, LANG, LC_*, PG* and what loaders and TLS libraries read; never a secret of the bucket.")  # type: ignore[assignment]
    archive: ArchiveUrl | None = _declare("WALSUP_ARCHIVE", values.archive, aliases=("WALG_S3_PREFIX",), says="`s3://bucket/prefix`, one for each database. Without it nothing is archived and the database is reported as not protected.")  # type: ignore[assignment]
    endpoint: str | None = _declare("AWS_ENDPOINT", values.endpoint, aliases=("AWS_ENDPOINT_URL",), shown="Amazon's", says="The S3 server, `https://` when no scheme is given; path-style requests. `*.amazonaws.com` means none.")  # type: ignore[assignment]
    region: str | None = _declare("AWS_REGION", str, shown="us-east-1 with an endpoint", says="The bucket's region; required without an endpoint.")  # type: ignore[assignment]
    access_key_id: str | None = _declare("AWS_ACCESS_KEY_ID", str, secret=True, says="The key of the bucket.")  # type: ignore[assignment]
    secret_access_key: str | None = _declare("AWS_SECRET_ACCESS_KEY", str, secret=True, says="Its secret.")  # type: ignore[assignment]
    session_token: str | None = _declare("AWS_SESSION_TOKEN", str, secret=True, says="A session token, for temporary keys.")  # type: ignore[assignment]
    engine: str = _declare("WALSUP_ENGINE", values.choice("auto", "wal-g", "walrus"), "auto", says="Which engine carries the bytes; `auto` takes `wal-g` when it is on PATH, else `walrus`.")  # type: ignore[assignment]
    compression: str | None = _declare("WALSUP_COMPRESSION", values.choice("lz4", "zstd"), shown="zstd with walrus, lz4 with wal-g", says="Compression of a new archive; an existing one keeps what its owner.json records.")  # type: ignore[assignment]
    archive_timeout_s: int = _declare("WALSUP_ARCHIVE_TIMEOUT", values.timeout, 60, shown="60s", says="After how long a segment that is not full is archived, unless the operator's own settings have an archive_timeout.")  # type: ignore[assignment]
    initial_backup: bool = _declare("WALSUP_INITIAL_BACKUP", units.boolean, True, shown="on", says="Take a base backup as soon as the database is ready and the archive has none of it.")  # type: ignore[assignment]
    http: HttpAddress = _declare("WALSUP_HTTP", values.http, HttpAddress(host="0.0.0.0", port=9351), shown="0.0.0.0:9351", says="Where probes, metrics and status answer.")  # type: ignore[assignment]  # noqa: S104
    run_dir: Path | None = _declare("WALSUP_RUN_DIR", values.absolute, pid1=True, shown="/run/walsup, else $XDG_RUNTIME_DIR/walsup, else a directory in /tmp", says="Sockets, the state file and rendered settings (0700; secrets are in it).")  # type: ignore[assignment]
    secrets_dir: Path | None = _declare("WALSUP_SECRETS_DIR", values.absolute, says="A directory of files named like the settings, as Kubernetes mounts a Secret. NAME and NAME_FILE win over it.")  # type: ignore[assignment]
    stop_grace_s: float = _declare("WALSUP_STOP_GRACE", values.grace, 25.0, pid1=True, shown="25s", says="How long a stop may take; keep it 5 s under terminationGracePeriodSeconds.")  # type: ignore[assignment]
    log_format: str = _declare("WALSUP_LOG_FORMAT", values.choice("auto", "json", "text"), "auto", pid1=True, says="`auto` is text on a terminal, else JSON.")  # type: ignore[assignment]
    termination_log: Path | None = _declare("WALSUP_TERMINATION_LOG", values.absolute, pid1=True, shown="/dev/termination-log when it exists", says="Where the verdict of a stop, or the reason of a refusal, is left.")  # type: ignore[assignment]
    # fmt: on
    passed_on: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def database_role(self) -> str:
        """The role that agent and engine log in as."""
        return self.pguser or self.postgres_user


def declared() -> Iterator[Field[object]]:
    """Give the rows of the table, in its order."""
    return (row for row in fields(Settings) if "name" in row.metadata)
