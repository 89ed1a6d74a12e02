"""Bitnami's names in the environment, and what each means to walsup. Pure.

Its superuser is always `postgres`; POSTGRESQL_USERNAME is a role without such rights, which owns
POSTGRESQL_DATABASE. Its chart gives POSTGRES_USER and POSTGRES_PASSWORD that meaning too.
Source: bitnami/containers, bitnami/postgresql, postgresql-env.sh and libpostgresql.sh;
bitnami/charts, bitnami/postgresql, templates/primary/statefulset.yaml.
"""

from collections.abc import Iterator, Mapping

BEGINNING = "POSTGRESQL_"
SUPERUSER = "postgres"
_CHARTS = ("POSTGRES_DATABASE", "POSTGRES_POSTGRES_PASSWORD", "POSTGRES_POSTGRES_PASSWORD_FILE")
# Theirs (the first that is set counts), ours.
_PLAIN = (
    (("POSTGRESQL_DATABASE", "POSTGRES_DATABASE"), "POSTGRES_DB"),
    (("POSTGRESQL_INITDB_ARGS",), "POSTGRES_INITDB_ARGS"),
    (("POSTGRESQL_INITDB_WAL_DIR",), "POSTGRES_INITDB_WALDIR"),
    (("POSTGRESQL_PORT_NUMBER",), "PGPORT"),
)
_SUPERUSERS_PASSWORD = ("POSTGRESQL_POSTGRES_PASSWORD", "POSTGRES_POSTGRES_PASSWORD")
_DIRECTORIES = ("POSTGRESQL_DATA_DIR", "POSTGRESQL_VOLUME_DIR")
_STANDBY = "POSTGRESQL_REPLICATION_MODE"
_STANDBYS = "set WALSUP_ROLE, WALSUP_PRIMARY_CONNINFO and WALSUP_REPLICATION_PASSWORD"
_TLS = "pass TLS settings as arguments: -c ssl=on -c ssl_cert_file=… -c ssl_key_file=…"
_WITHOUT_PLACE = (
    (("REPLICATION", "MASTER", "SYNCHRONOUS", "NUM_SYNC"), _STANDBYS),
    (("ENABLE_TLS", "TLS_"), _TLS),
    (("ENABLE_LDAP", "LDAP_", "PGHBA"), "pass access rules with -c hba_file=…"),
    (("INITSCRIPTS",), "put the scripts into /docker-entrypoint-initdb.d"),
    (("ALLOW_EMPTY_PASSWORD",), "set POSTGRES_HOST_AUTH_METHOD=trust"),
    (("",), "pass PostgreSQL settings as arguments (-c name=value)"),
)


def is_here(environ: Mapping[str, str]) -> bool:
    """Return whether the environment was written for Bitnami's image."""
    return any(name.startswith(BEGINNING) and text for name, text in environ.items())


def meanings(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield theirs, ours and the text for what does not name the superuser."""
    if not is_here(environ):
        return
    for theirs, ours in _PLAIN:
        yield from _first(environ, theirs, ours)
    role = environ.get("POSTGRESQL_USERNAME", "") or _charts_role(environ)
    password: tuple[str, ...] = ("POSTGRESQL_PASSWORD",)
    if role in ("", SUPERUSER):
        yield from _first(environ, (*password, *_SUPERUSERS_PASSWORD), "POSTGRES_PASSWORD")
        return
    if _charts_role(environ):
        password = ("POSTGRESQL_PASSWORD", "POSTGRES_PASSWORD")
    elif "POSTGRES_USER" not in environ and "POSTGRES_USER_FILE" not in environ:
        yield "POSTGRESQL_USERNAME", "POSTGRES_USER", SUPERUSER
    yield "POSTGRESQL_USERNAME", "WALSUP_APP_USER", role
    yield from _first(environ, password, "WALSUP_APP_PASSWORD")
    if not _charts_role(environ):
        yield from _first(environ, _SUPERUSERS_PASSWORD, "POSTGRES_PASSWORD")


def replaced(environ: Mapping[str, str]) -> dict[str, str]:
    """Return official names that Bitnami's chart gives another meaning, as they are meant."""
    if not _charts_role(environ):
        return {}
    ours = {"POSTGRES_USER": SUPERUSER, "POSTGRES_PASSWORD": "", "POSTGRES_PASSWORD_FILE": ""}
    superusers = _first(environ, _SUPERUSERS_PASSWORD, "POSTGRES_PASSWORD")
    return ours | {name: text for _, name, text in superusers}


def without_place(environ: Mapping[str, str], read: frozenset[str]) -> Iterator[str]:
    """Yield which names are passed over, those with the same reason in one line."""
    found: dict[str, list[str]] = {}
    for name in sorted(environ):
        plain = name.removesuffix("_FILE")
        if not name.startswith(BEGINNING) or not environ[name] or plain in read:
            continue
        rest = plain.removeprefix(BEGINNING)
        said = next(says for words, says in _WITHOUT_PLACE if rest.startswith(words))
        found.setdefault(said, []).append(name)
    yield from (f"{', '.join(names)}: {said}" for said, names in found.items())


def of_a_standby(environ: Mapping[str, str]) -> str:
    """Return the name that asks for another server's data, "" when none does."""
    for name in (_STANDBY, "POSTGRES_REPLICATION_MODE"):
        if is_here(environ) and environ.get(name) in ("slave", "replica"):
            return f"{name}={environ[name]}"
    return ""


READ = frozenset(
    (
        *(name for theirs, _ in _PLAIN for name in theirs),
        *_SUPERUSERS_PASSWORD,
        *_DIRECTORIES,
        *("POSTGRESQL_USERNAME", "POSTGRESQL_PASSWORD"),
    )
)


def consumed(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the names that are Bitnami's alone, so that none is reported as a misspelt one."""
    if not is_here(environ):
        return frozenset()
    return frozenset(n for n in environ if n.startswith(BEGINNING) or n in _CHARTS)


def _charts_role(environ: Mapping[str, str]) -> str:
    """Return the role without a superuser's rights that the chart calls POSTGRES_USER."""
    is_charts = environ.get("POSTGRESQL_VOLUME_DIR") and not environ.get("POSTGRESQL_USERNAME")
    role = environ.get("POSTGRES_USER", "") if is_charts else ""
    return "" if role == SUPERUSER else role


def _first(
    environ: Mapping[str, str], theirs: tuple[str, ...], ours: str
) -> Iterator[tuple[str, str, str]]:
    """Yield the first that is set, itself or as a file, under our name."""
    for name in theirs:
        for end in ("", "_FILE"):
            if text := environ.get(name + end):
                yield name + end, ours + end, text
                return
