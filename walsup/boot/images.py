"""Which program has configured a data directory: its settings name what is not in this image.

One table for all of them. A data directory is recognised by a file in it, or by the folders that
its settings name.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from walsup.postgres import guc


class Image(NamedTuple):
    """What its data directories have; `event`: under which a replaced setting is logged."""

    name: str
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    event: str = "setting.of_other_image"


# Source: zalando/spilo, configure_spilo.py; patroni, config.py; CrunchyData/postgres-operator,
# internal/postgres; cloudnative-pg, pkg/postgres/configuration.go; bitnami/containers,
# postgresql-env.sh; postgresql-common, pg_createcluster; supabase/postgres.
_PATRONIS = (guc.PATRONIS, "patroni.dynamic.json")
IMAGES = (
    Image("Patroni", files=_PATRONIS, event="setting.of_patroni"),
    Image("CloudNativePG", folders=("/controller/",)),
    Image("Bitnami", folders=("/opt/bitnami/", "/bitnami/")),
    Image("Crunchy", folders=("/pgconf/", "/pgdata/", "/pgbackrest/")),
    Image("Debian", folders=("/etc/postgresql/", "/etc/ssl/certs/ssl-cert-snakeoil.pem")),
    Image("Supabase", folders=("/etc/postgresql-custom/",)),
)
_NAMING = (
    *("ssl_cert_file", "ssl_key_file", "ssl_ca_file", "log_directory", "hba_file", "ident_file"),
    *("unix_socket_directories", "external_pid_file", "archive_command", "restore_command"),
    "stats_temp_directory",
)

# Libraries that observe, guard or schedule: the data is whole without them. A library in which
# tables or WAL are stored (citus, pg_tde) is not among them.
# Source: zalando/spilo, configure_spilo.py and spilo_commons.py; percona-postgresql-operator;
# CrunchyData/postgres-operator, internal/postgres/config.go; supabase/postgres.
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
    """Return the name by which a library is in the table."""
    return library.removeprefix("$libdir/").removesuffix(".so")


def recognise(pgdata: Path, effective: Mapping[str, str]) -> Image | None:
    """Return the image whose program has configured this directory; None: nobody's, or official."""
    texts = [effective.get(name, "") for name in _NAMING]
    for image in IMAGES:
        if any(os.path.lexists(pgdata / name) for name in image.files):
            return image
        if any(folder in text for folder in image.folders for text in texts):
            return image
    return None
