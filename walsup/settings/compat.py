"""The names of KubeDB, Spilo, Bitnami and WAL-E in the environment: what each means to walsup.

The one place where they are known. What this version has no place for is a note; what asks for a
data directory that only a restore or a standby gives forbids a new cluster (rules
empty-means-listed and restore-source-once). To give such a name a meaning, put it into `_ALIASES`
or into a function beside `_kubedbs_archive`.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from walsup.settings import compat_bitnami
from walsup.settings.compat_detect import KUBEDB_SECRETS, Translation
from walsup.settings.restore_source import restores
from walsup.settings.result import Result
from walsup.settings.schema import declared, is_secret
from walsup.system import default_pgdata


class TranslatedSetting(NamedTuple):
    """A setting of ours, by their name: `source` is what a note calls it."""

    source: str
    name: str
    text: str


def _as_it_is(text: str) -> str:
    return text


def _without_convention(text: str) -> str:
    """Return the URL of WAL-E's `https+path://host:port`; requests are path-style anyway."""
    return re.sub(r"^(https?)\+\w+://", r"\1://", text)


def _locale(text: str) -> str:
    return f"--locale={text}.UTF-8 --encoding=UTF8"


_SECRETS = {spelling for row in declared() if row.secret for spelling in (row.name, *row.aliases)}

# Their name, ours, how ours is read from it.
_ALIASES: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    ("WALE_S3_PREFIX", "WALSUP_ARCHIVE", _as_it_is),
    ("ARCHIVE_S3_ENDPOINT", "AWS_ENDPOINT", _as_it_is),
    ("WALE_S3_ENDPOINT", "AWS_ENDPOINT", _without_convention),
    ("PGUSER_SUPERUSER", "POSTGRES_USER", _as_it_is),
    ("PGPASSWORD_SUPERUSER", "POSTGRES_PASSWORD", _as_it_is),
    ("INITDB_LOCALE", "POSTGRES_INITDB_ARGS", _locale),
)

# What has no counterpart here; a name that ends in * is a beginning.
_WITHOUT_PLACE = {
    "BACKUP_SCHEDULE": "this version has no scheduled backups",
    "BACKUP_NUM_TO_RETAIN": "this version deletes no backups",
    "SPILO_CONFIGURATION": "pass PostgreSQL settings as arguments (-c name=value)",
    "STANDBY": "set WALSUP_ROLE and WALSUP_PRIMARY_CONNINFO",
    "STREAMING": "set WALSUP_ROLE and WALSUP_PRIMARY_CONNINFO",
    "PRIMARY_HOST": "set WALSUP_ROLE and WALSUP_PRIMARY_CONNINFO",
    "STANDBY_*": "set WALSUP_ROLE=standby, and WALSUP_ARCHIVE or WALSUP_PRIMARY_CONNINFO",
    "PGUSER_STANDBY": "set WALSUP_REPLICATION_USER",
    "PGPASSWORD_STANDBY": "set WALSUP_REPLICATION_PASSWORD",
    "PGUSER_*": "walsup creates only the superuser; create other roles in"
    " /docker-entrypoint-initdb.d",
    "PGPASSWORD_*": "walsup creates only the superuser; create other roles in"
    " /docker-entrypoint-initdb.d",
}
# Options of a clone, which some set for all their databases.
_ONLY_OPTIONS = ("CLONE_USE_", "CLONE_AWS_", "CLONE_WALG_DISABLE_", "CLONE_WALE_DISABLE_")
# Kubernetes says where each Service is: one called standby-db asks for nothing.
_OF_A_SERVICE = re.compile(r"_SERVICE_(HOST|PORT)|_PORT(_\d+_(TCP|UDP|SCTP)|$)")
_OTHER_STORES = (
    *(f"ARCHIVE_{store}_PREFIX" for store in ("GS", "AZ", "SWIFT")),
    *(f"WAL_{store}_BUCKET" for store in ("GS", "GCS", "SWIFT")),
)


def translate(environ: Mapping[str, str], root: str = "") -> Translation:
    """Return what others' names mean; a name of ours that is set wins. `root`: where paths are."""
    environ = {
        name: text
        for name, text in environ.items()
        if name == "KUBERNETES_SERVICE_HOST" or not _OF_A_SERVICE.search(name)
    }
    spellings = {row.name: (row.name, *row.aliases) for row in declared()}
    ours: dict[str, str] = compat_bitnami.replaced(environ)
    notes: list[str] = []
    for name in filter(ours.get, sorted(ours)):
        shown = f"={ours[name]}" if name == "POSTGRES_USER" else ""
        notes.append(
            f"{name} is used with its meaning in Bitnami's chart: {name}{shown}; set that instead"
        )
    meanings = _meanings(environ, root)
    for source, name, text in meanings.value:
        plain = name.removesuffix("_FILE")
        named = spellings.get(plain, (plain,))
        own = next((s for s in named if environ.get(s) or environ.get(f"{s}_FILE")), "")
        if own or not ours.keys().isdisjoint((plain, f"{plain}_FILE")):
            notes.append(f"{source} is ignored: {own or plain} is set")
            continue
        ours[name] = text
        hidden = name.removeprefix("RESTORE_") in _SECRETS or is_secret(name)
        shown = "" if hidden else f"={text}"
        notes.append(f"{source} is used as {name}{shown}; set that instead")
    if owner := default_pgdata.whose(environ, root):
        ours["PGDATA"] = default_pgdata.chosen(environ, root)
        notes.append(
            f"{owner}'s volume is mounted, so PGDATA is {ours['PGDATA']}; set that instead"
        )
    other_stores = (
        f"{name}: this version archives to S3 and to directories; set WALSUP_ARCHIVE to"
        " s3://bucket/prefix or file:///directory"
        for name in _OTHER_STORES
        if environ.get(name)
    )
    return Translation(
        ours=ours,
        notes=(
            *notes,
            *_without_place(environ),
            *compat_bitnami.without_place(environ, compat_bitnami.READ),
        ),
        faults=(*meanings.faults, *other_stores),
        no_new_cluster="" if ours.get("WALSUP_RESTORE_FROM") else _no_new_cluster(environ),
        consumed=compat_bitnami.consumed(environ),
    )


def _meanings(environ: Mapping[str, str], root: str) -> Result[tuple[TranslatedSetting, ...]]:
    """Return what their names mean, in the order in which one wins over the next."""
    kubedb, spilo = _kubedbs_archive(environ), _spilos_archive(environ, root)
    translated = [
        TranslatedSetting(their, name, read(text))
        for their, name, read in _ALIASES
        if (text := environ.get(their))
    ]
    translated += (*kubedb.value, *spilo.value)
    translated += (TranslatedSetting(*restored) for restored in restores(environ, root))
    translated += (TranslatedSetting(*theirs) for theirs in compat_bitnami.meanings(environ))
    if os.path.isdir(root + KUBEDB_SECRETS):  # noqa: PTH112 (as `load` has it)
        translated.append(TranslatedSetting(KUBEDB_SECRETS, "WALSUP_SECRETS_DIR", KUBEDB_SECRETS))
    return Result(tuple(translated), (*kubedb.faults, *spilo.faults))


def _kubedbs_archive(environ: Mapping[str, str]) -> Result[tuple[TranslatedSetting, ...]]:
    """Source: kubedb/postgres release-0.13, scripts/primary/run.sh."""
    if environ.get("ARCHIVE") != "wal-g":
        return Result(())
    if prefix := environ.get("ARCHIVE_S3_PREFIX"):
        return Result((TranslatedSetting("ARCHIVE_S3_PREFIX", "WALSUP_ARCHIVE", prefix),))
    if directory := environ.get("ARCHIVE_FILE_PREFIX"):
        place = f"file://{directory}/{environ.get('HOSTNAME') or os.uname().nodename}"
        source = "ARCHIVE_FILE_PREFIX and the host's name"
        return Result((TranslatedSetting(source, "WALSUP_ARCHIVE", place),))
    if any(map(environ.get, ("WALSUP_ARCHIVE", *_OTHER_STORES))):
        return Result(())
    return Result((), ("ARCHIVE=wal-g without ARCHIVE_S3_PREFIX: set WALSUP_ARCHIVE",))


def _spilos_archive(environ: Mapping[str, str], root: str) -> Result[tuple[TranslatedSetting, ...]]:
    """Source: zalando/spilo, configure_spilo.py, write_wale_environment and get_placeholders."""
    bucket, scope = environ.get("WAL_S3_BUCKET"), environ.get("SCOPE")
    if not bucket or environ.get("WALE_S3_PREFIX") or environ.get("WALG_S3_PREFIX"):
        return Result(())
    version = _major(environ, root)
    if not scope or not version:
        lacks = "PGVERSION" if scope else "SCOPE"
        return Result(
            (), (f"WAL_S3_BUCKET without {lacks}: set WALSUP_ARCHIVE to s3://bucket/prefix",)
        )
    # An empty one is not the same as none.
    before = environ.get("WAL_BUCKET_SCOPE_PREFIX", _namespace_prefix(environ))
    after = environ.get("WAL_BUCKET_SCOPE_SUFFIX", "")
    place = f"s3://{bucket}/spilo/{before}{scope}{after}/wal/{version}"
    return Result((TranslatedSetting("WAL_S3_BUCKET with SCOPE", "WALSUP_ARCHIVE", place),))


def _namespace_prefix(environ: Mapping[str, str]) -> str:
    in_kubernetes = environ.get("KUBERNETES_SERVICE_HOST") is not None
    by_kubernetes = in_kubernetes and environ.get("DCS_ENABLE_KUBERNETES_API")
    usual = environ.get("POD_NAMESPACE", "default") if by_kubernetes else ""
    namespace = environ.get("NAMESPACE", usual)
    return "" if namespace in ("default", "") else f"{namespace}-"


def _major(environ: Mapping[str, str], root: str) -> str:
    """Return the major version of the data, else of the programs, else of what is asked for."""
    try:
        data = Path(f"{root}{default_pgdata.chosen(environ, root)}", "PG_VERSION")
        return data.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        folder = re.search(r"/postgresql/(\d+)/bin", environ.get("PG_BINDIR", ""))
        named = environ.get("PG_MAJOR") or (folder[1] if folder else "")
        return named or environ.get("PGVERSION", "")


def _without_place(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what is passed over, names with the same reason in one line."""
    read = {their for their, _, _ in _ALIASES}
    found: dict[str, list[str]] = {}
    for name in sorted(environ):
        said = next((says for what, says in _WITHOUT_PLACE.items() if _is(name, what)), "")
        if said and environ[name] and name not in read:
            found.setdefault(said, []).append(name)
    yield from (f"{', '.join(names)}: {said}" for said, names in found.items())
    archive = environ.get("ARCHIVE")
    if archive != "wal-g" and (archive or environ.get("ARCHIVE_S3_PREFIX")):
        yield f"ARCHIVE={archive or ''} archives nothing (KubeDB's is wal-g); set WALSUP_ARCHIVE"


def _is(name: str, what: str) -> bool:
    return name.startswith(what[:-1]) if what.endswith("*") else name == what


def _no_new_cluster(environ: Mapping[str, str]) -> str:
    """Return the name that asks for data from elsewhere, "" when a new cluster is as good."""
    if environ.get("RESTORE", "").lower() == "true":
        return "RESTORE=true"
    if standby := compat_bitnami.of_a_standby(environ):
        return standby
    for name in sorted(environ):
        if (
            environ[name]
            and name.startswith(("CLONE_", "STANDBY_"))
            and not name.startswith(_ONLY_OPTIONS)
        ):
            return name
    ordinal = re.search(r"-([1-9]\d*)$", environ.get("HOSTNAME", ""))
    if ordinal and (theirs := next(filter(environ.get, ("PRIMARY_HOST", "SCOPE")), "")):
        return f"{theirs} beside the host name {environ['HOSTNAME']}"
    return ""
