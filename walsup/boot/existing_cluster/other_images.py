"""Which program has configured a data directory: its settings name what this image lacks.

One table holds all of them. A data directory is recognised by a file in it, or by the paths in its
settings. An operator may have set a single path, so one path alone proves nothing.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from walsup.postgres import config


class Image(NamedTuple):
    """What the image's data directories have. `event`: the log event for a replaced setting.

    One of `files` is enough. A path or a program needs a second sign. `also` (paths) and `beside`
    (files) count only as second signs, because other images have them too.
    """

    name: str
    files: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    event: str = "setting.of_other_image"


# Source: zalando/spilo, configure_spilo.py; patroni, config.py; CrunchyData/postgres-operator,
# internal/postgres; cloudnative-pg, pkg/postgres/configuration.go; bitnami/containers,
# postgresql-env.sh; postgresql-common, pg_createcluster; supabase/postgres.
_PATRONIS = (config.PATRONIS, "patroni.dynamic.json")
IMAGES = (
    Image("Patroni", files=_PATRONIS, event="setting.of_patroni"),
    Image(
        "CloudNativePG",
        paths=("/controller/",),
        programs=("/controller/manager",),
        beside=("custom.conf",),
    ),
    Image("Bitnami", paths=("/opt/bitnami/", "/bitnami/")),
    Image("Crunchy", paths=("/pgconf/", r"/pgdata/pg\d+(?:/|$)")),
    Image(
        "Debian",
        paths=(r"/etc/postgresql/\d+/[^/]+/",),
        also=("/etc/ssl/certs/ssl-cert-snakeoil.pem$", r"(?:/var)?/run/postgresql/\d+-[^/]+$"),
    ),
    Image("Supabase", paths=("/etc/postgresql-custom/",)),
)
# Settings that belong together are one sign.
_NAMING = (
    ("ssl_cert_file", "ssl_key_file", "ssl_ca_file"),
    ("hba_file", "ident_file"),
    *(("log_directory",), ("unix_socket_directories",), ("external_pid_file",)),
    ("stats_temp_directory",),
)
_COMMANDS = ("archive_command", "restore_command")

# Libraries that observe, guard or schedule: the data is whole without them. A library that stores
# tables or WAL (citus, pg_tde) is not among them. Source: zalando/spilo, configure_spilo.py and
# spilo_commons.py; percona-postgresql-operator; CrunchyData/postgres-operator,
# internal/postgres/config.go; supabase/postgres.
LEFT_OUT = frozenset(
    (
        *("bg_mon", "pg_auth_mon", "pg_cron", "pg_mon", "pg_stat_kcache", "pgextwlist"),
        *("pg_stat_statements", "set_user", "timescaledb", "pgaudit", "pgauditlogtofile"),
        *("pgnodemx", "pg_stat_monitor", "pg_qualstats", "pg_wait_sampling", "auto_explain"),
        *("pg_squeeze", "pg_partman_bgw", "pg_failover_slots", "pg_net", "supautils"),
        *("plan_filter", "pg_hint_plan", "pg_prewarm", "pg_tle"),
    )
)


def without_path(library: str) -> str:
    """Return the name of a library in the table."""
    return library.removeprefix("$libdir/").removesuffix(".so")


def recognise(pgdata: Path, effective: Mapping[str, str]) -> Image | None:
    """Return the image that has configured this directory; None: not known, or the official one."""
    named = [
        [path for name in names for path in _outside(pgdata, effective.get(name, ""))]
        for names in _NAMING
    ]
    run = {effective.get(name, "").partition(" ")[0].strip("'\"") for name in _COMMANDS}
    for image in IMAGES:
        if any(os.path.lexists(pgdata / name) for name in image.files):
            return image
        signs = _count(image.paths, named) + (not run.isdisjoint(image.programs))
        beside = any(os.path.lexists(pgdata / name) for name in image.beside)
        if signs and signs + _count(image.also, named) + beside > 1:
            return image
    return None


def _outside(pgdata: Path, text: str) -> Iterator[str]:
    """Yield the absolute paths of a setting that do not lie in the data directory itself."""
    for word in text.split(","):
        path = Path(os.path.normpath(word.strip().strip('"')))
        if path.is_absolute() and not path.is_relative_to(pgdata):
            yield str(path)


def _count(patterns: tuple[str, ...], named: list[list[str]]) -> int:
    return sum(any(re.match(one, path) for one in patterns for path in paths) for paths in named)
