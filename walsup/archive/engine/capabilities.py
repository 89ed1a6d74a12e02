"""What each engine supports: the settings and kinds of credentials that it honours. Pure.

A setting that says where bytes go, in what form they are stored or with whose permissions, and that
the engine would ignore, is rejected: an archive must not look encrypted when it is not. A setting
that only tunes is passed on with a warning, and so is a name that neither engine is known to read.

Source: WAL-RUS 0.4.1, every variable that src/config/mod.rs, src/crypto/, src/storage/s3.rs,
src/retry.rs, src/cli/mod.rs and src/pg/replication/conn.rs read; WAL-G 3.0.8,
internal/config/config.go, pkg/storages/s3/configure.go and session.go (its AWS SDK, 1.55, takes
credentials from the environment, into which WAL-G copies its configuration).
"""

from collections.abc import Iterator
from typing import NamedTuple

from walsup.archive.faults import Fault, FaultKind
from walsup.settings import FileArchive, Settings

WALG, WALRUS = "wal-g", "walrus"
BOTH = (WALG, WALRUS)
_OFF = ("", "0", "false", "no", "off", "none", "standard")


class Ability(NamedTuple):
    """What a setting requests. `engines` (): walsup's own requests do not support it.

    `vital`: continuing without it would be wrong. `unkeyed`: it counts only when no static key is
    given, which both engines and walsup prefer.
    """

    what: str
    engines: tuple[str, ...]
    vital: bool
    names: tuple[str, ...]
    unkeyed: bool = False


def _row(
    what: str, names: str, *engines: str, vital: bool = True, unkeyed: bool = False
) -> Ability:
    return Ability(what, engines, vital, tuple(names.split()), unkeyed)


# Names are without WALG_ and WALE_: WAL-G takes its storage settings with and without them.
# fmt: off
ABILITIES: tuple[Ability, ...] = (
    _row("encryption with libsodium",
         "LIBSODIUM_KEY LIBSODIUM_KEY_PATH LIBSODIUM_KEY_TRANSFORM", *BOTH),
    _row("encryption with OpenPGP",
         "PGP_KEY PGP_KEY_PATH PGP_KEY_PASSPHRASE GPG_KEY_ID ENVELOPE_PGP_KEY ENVELOPE_PGP_KEY_PATH"
         " ENVELOPE_PGP_YC_CSE_KMS_KEY_ID ENVELOPE_PGP_YC_SERVICE_ACCOUNT_KEY_FILE"
         " ENVELOPE_PGP_YC_ENDPOINT", WALG),
    _row("encryption with a key of KMS",
         "CSE_KMS_ID CSE_KMS_REGION YC_CSE_KMS_KEY_ID YC_SERVICE_ACCOUNT_KEY_FILE", WALG),
    _row("server-side encryption", "S3_SSE S3_SSE_KMS_ID", WALG),
    _row("server-side encryption with a customer-provided key", "S3_SSE_C"),
    _row("a storage class", "S3_STORAGE_CLASS", WALG),
    _row("object lock", "S3_RETENTION_PERIOD S3_RETENTION_MODE", WALG),
    _row("verified page checksums", "VERIFY_PAGE_CHECKSUMS STORE_ALL_CORRUPT_BLOCKS", WALG),
    _row("another connection to the S3 server",
         "S3_ENDPOINT_SOURCE S3_ENDPOINT_PORT S3_ENDPOINT_PROTOCOL S3_REQUEST_ADDITIONAL_HEADERS"
         " AWS_DUAL_STACK", WALG),
    _row("another place in the bucket, or another bucket",
         "STORAGE_PREFIX FAILOVER_STORAGES TARGET_STORAGE"),
    _row("a note in the backup's sentinel", "SENTINEL_USER_DATA", WALG),
    _row("the credentials of a role",
         "AWS_WEB_IDENTITY_TOKEN_FILE AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
         " AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_AUTHORIZATION_TOKEN"
         " AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", WALG, unkeyed=True),
    _row("the credentials of a profile", "AWS_PROFILE AWS_SHARED_CREDENTIALS_FILE", unkeyed=True),
    _row("the session token of Yandex Cloud", "S3_USE_YC_SESSION_TOKEN"),
    _row("", "UPLOAD_CONCURRENCY DOWNLOAD_CONCURRENCY UPLOAD_QUEUE DISK_RATE_LIMIT LOG_LEVEL"
         " NETWORK_RATE_LIMIT DELTA_MAX_STEPS DELTA_ORIGIN DELTA_FROM_NAME DELTA_FROM_USER_DATA"
         " FETCH_TARGET_USER_DATA USE_WAL_DELTA TAR_SIZE_THRESHOLD DOWNLOAD_FILE_RETRIES"
         " PREFETCH_DIR SLOTNAME AWS_S3_FORCE_PATH_STYLE AWS_EC2_METADATA_DISABLED"
         " AWS_EC2_METADATA_SERVICE_ENDPOINT AWS_ROLE_ARN AWS_ROLE_SESSION_NAME AWS_DEFAULT_REGION"
         " AWS_STS_REGIONAL_ENDPOINTS AWS_ENDPOINT_URL_STS", *BOTH, vital=False),
    _row("", "COMPRESSION_LEVEL THREADS", WALRUS, vital=False),
    _row("", "S3_MAX_RETRIES S3_MAX_PART_SIZE S3_USE_LIST_OBJECTS_V1 S3_LOG_LEVEL"
         " S3_RANGE_BATCH_ENABLED S3_RANGE_MAX_RETRIES S3_MIN_THROTTLING_RETRY_DELAY"
         " S3_MAX_THROTTLING_RETRY_DELAY S3_DISABLE_100_CONTINUE S3_DELETE_BATCH_SIZE"
         " S3_ENABLE_VERSIONING S3_SKIP_VALIDATION ZSTD_LEVEL UPLOAD_DISK_CONCURRENCY"
         " UPLOAD_WAL_METADATA USE_REVERSE_UNPACK SKIP_REDUNDANT_TARS USE_RATING_COMPOSER"
         " USE_COPY_COMPOSER USE_DATABASE_COMPOSER WITHOUT_FILES_METADATA TAR_DISABLE_FSYNC"
         " LOG_DESTINATION STATSD_ADDRESS STATSD_EXTRA_TAGS ALIVE_CHECK_INTERVAL"
         " STOP_BACKUP_TIMEOUT INTEGRITY_MAX_DELAYED_WALS SERIALIZER_TYPE FORCE_WAL_DELTA"
         " DISABLE_PARTIAL_RESTORE DIRECT_IO DIRECT_IO_BLOCK_COUNT ENVELOPE_CACHE_EXPIRATION"
         " PG_WAL_PAGE_SIZE PG_BLOCK_SIZE", WALG, vital=False),
)
# fmt: on
# What walsup renders itself, whatever is given.
_OURS = {
    "COMPRESSION_METHOD": "WALSUP_COMPRESSION",
    "PREVENT_WAL_OVERWRITE": "nothing: it is always on",
    "DAEMON_WAL_UPLOAD_TIMEOUT": "WALSUP_STOP_GRACE",
    "PG_WAL_SIZE": "nothing: it is read from the cluster",
}
_BY_NAME = {name: ability for ability in ABILITIES for name in ability.names}


def refusal(settings: Settings, engine: str) -> Fault | None:
    """Return which settings the engine would ignore. None: it honours all that matter."""
    lost = {
        name: ability
        for name, ability in _asked(settings)
        if ability.vital and engine not in ability.engines
    }
    role = settings.passed_on.get("AWS_ROLE_ARN")
    if role and not settings.passed_on.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        lost["AWS_ROLE_ARN"] = _row("a role assumed with a key", "")
    if not lost:
        return None
    asked = "; ".join(f"{name} asks for {ability.what}" for name, ability in lost.items())
    if all(WALG in ability.engines for ability in lost.values()):
        return Fault(
            kind=FaultKind.ENGINE_UNABLE,
            problem=f"{engine} would ignore it: {asked}",
            remedy=f"put {WALG} and walg-daemon-client on PATH, with WALSUP_ENGINE=auto, and"
            f" start again; or unset {', '.join(lost)}",
        )
    return Fault(
        kind=FaultKind.ENGINE_UNABLE,
        problem=f"walsup's own requests to the bucket do not support it: {asked}",
        remedy=f"unset {', '.join(lost)}; credentials can be AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY (also as _FILE), a web identity, a container's or an"
        " instance's",
    )


def unheeded(settings: Settings, engine: str) -> Iterator[str]:
    """Yield a warning for each setting that is passed on and not known to matter."""
    for name in sorted(settings.passed_on):
        plain = unprefixed(name)
        if not settings.passed_on[name]:
            continue
        if plain in _OURS:
            yield f"{name} is overridden by walsup; use instead: {_OURS[plain]}"
        elif plain in _BY_NAME:
            ability = _BY_NAME[plain]
            if not ability.vital and engine not in ability.engines:
                yield f"{name} is ignored by {engine}"
        elif name.startswith(("WALG_", "WALE_")):
            yield f"{name} is not known to walsup; it is passed to {engine}"


def _asked(settings: Settings) -> Iterator[tuple[str, Ability]]:
    keyed = bool(settings.access_key_id and settings.secret_access_key)
    of_servers = ("S3_", "AWS_") if isinstance(settings.archive, FileArchive) else ()
    for name, value in sorted(settings.passed_on.items()):
        if (plain := unprefixed(name)).startswith(of_servers):
            continue
        ability = _BY_NAME.get(plain)
        if ability and value.strip().lower() not in _OFF and not (ability.unkeyed and keyed):
            yield name, ability


def unprefixed(name: str) -> str:
    """Return the name of an engine's setting without WALG_ or WALE_."""
    return name.removeprefix("WALG_").removeprefix("WALE_")
