"""The names of KubeDB, Spilo, Bitnami and WAL-E in the environment: what each means to walsup.

What this version has no place for is a note; what asks for a data directory that only a restore or
a standby gives forbids a new cluster (rules empty-means-listed and restore-source-once). To give
such a name a meaning, put it into `_ALIASES` or into the module of its image.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping

from walsup.settings.compat import bitnami, kubedb, spilo
from walsup.settings.compat.detect import (
    KUBEDB_SECRETS,
    OTHER_STORES,
    TranslatedSetting,
    Translation,
)
from walsup.settings.result import Result
from walsup.settings.schema import declared, is_secret
from walsup.system import default_pgdata


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


def translate(environ: Mapping[str, str], root: str = "") -> Translation:
    """Return what others' names mean; a name of ours that is set wins. `root`: where paths are."""
    environ = {
        name: text
        for name, text in environ.items()
        if name == "KUBERNETES_SERVICE_HOST" or not _OF_A_SERVICE.search(name)
    }
    spellings = {row.name: (row.name, *row.aliases) for row in declared()}
    ours: dict[str, str] = bitnami.replaced(environ)
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
        for name in OTHER_STORES
        if environ.get(name)
    )
    return Translation(
        ours=ours,
        notes=(
            *notes,
            *_without_place(environ),
            *bitnami.without_place(environ, bitnami.READ),
        ),
        faults=(*meanings.faults, *other_stores),
        no_new_cluster="" if ours.get("WALSUP_RESTORE_FROM") else _no_new_cluster(environ),
        consumed=bitnami.consumed(environ),
    )


def _meanings(environ: Mapping[str, str], root: str) -> Result[tuple[TranslatedSetting, ...]]:
    """Return what their names mean, in the order in which one wins over the next."""
    of_kubedb, of_spilo = kubedb.archive(environ), spilo.archive(environ, root)
    translated = [
        TranslatedSetting(their, name, read(text))
        for their, name, read in _ALIASES
        if (text := environ.get(their))
    ]
    translated += (*of_kubedb.value, *of_spilo.value)
    restores = (*kubedb.restores(environ, root), *spilo.restores(environ))
    translated += (TranslatedSetting(*one) for one in restores if one[-1])
    translated += (TranslatedSetting(*one) for one in bitnami.meanings(environ))
    if os.path.isdir(root + KUBEDB_SECRETS):  # noqa: PTH112 (as `load` has it)
        translated.append(TranslatedSetting(KUBEDB_SECRETS, "WALSUP_SECRETS_DIR", KUBEDB_SECRETS))
    return Result(tuple(translated), (*of_kubedb.faults, *of_spilo.faults))


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
    if standby := bitnami.of_a_standby(environ):
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
