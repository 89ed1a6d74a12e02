#!/usr/bin/env bash
# The peer of start and first boot: the steps that docker-library's image takes, in its order, in
# our own words. Started as root it makes the directories, finds files of other owners, becomes
# the database's user and begins again; then it runs initdb where there is no cluster, starts a
# server for itself alone, creates the database, stops it, and becomes postgres.
# From the environment: PGDATA, PGPORT, PG_BINDIR, BENCH_SOCKET_DIR, BENCH_DB_USER,
# POSTGRES_PASSWORD, POSTGRES_DB. Arguments are postgres's.
set -euo pipefail

PATH=$PG_BINDIR:$PATH
# PGDATA, PGPORT and LANG are inherited by all that is run here.
readonly socket_dir=$BENCH_SOCKET_DIR method=scram-sha-256

mkdir -p "$PGDATA" "$socket_dir"
chmod 0700 "$PGDATA" || true
chmod 0775 "$socket_dir" || true

if [[ $(id -u) == 0 ]]; then
    find "$PGDATA" ! -user "$BENCH_DB_USER" -exec chown "$BENCH_DB_USER" {} +
    find "$socket_dir" ! -user "$BENCH_DB_USER" -exec chown "$BENCH_DB_USER" {} +
    exec setpriv --reuid="$BENCH_DB_USER" --regid="$BENCH_DB_USER" --init-groups \
        bash "${BASH_SOURCE[0]}" "$@"
fi

if [[ ! -s $PGDATA/PG_VERSION ]]; then
    initdb --username=postgres --auth-local=trust --auth-host="$method" \
        --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") -D "$PGDATA"
    printf "\nlisten_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -w -o "-c listen_addresses='' -k '$socket_dir'" start
    found=$(psql -X -v ON_ERROR_STOP=1 -h "$socket_dir" -U postgres -d postgres -At \
        -v db="$POSTGRES_DB" <<<"select 1 from pg_database where datname = :'db'")
    if [[ -z $found ]]; then
        psql -X -v ON_ERROR_STOP=1 -h "$socket_dir" -U postgres -d postgres -v db="$POSTGRES_DB" \
            <<<'create database :"db"'
    fi
    pg_ctl -D "$PGDATA" -w -m fast stop
fi

exec postgres -k "$socket_dir" "$@"
