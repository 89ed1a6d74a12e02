#!/usr/bin/env bash
# The peer of start and first boot: what docker-library's image does on the way to its first answer,
# process by process and in its order, in our own words (its script for 17, of February 2026). As
# root it makes the directories, looks for files of other owners, becomes the database's user and
# begins again; then it runs initdb where there is no cluster, asks postgres how passwords are
# stored, starts a server for itself alone, creates the database, stops it, and becomes postgres.
# Leaner than the original in three points, all in its favour: what changes the user is setpriv,
# not a Go program; no shell reads 380 lines twice; no initdb.d is listed.
# From the environment: PGDATA, PGPORT, PG_BINDIR, BENCH_SOCKET_DIR, BENCH_DB_USER,
# POSTGRES_PASSWORD, POSTGRES_DB. Arguments are postgres's.
set -euo pipefail

PATH=$PG_BINDIR:$PATH
# PGDATA, PGPORT and LANG are inherited by all that is run here.
readonly socket_dir=$BENCH_SOCKET_DIR

make_directories() {
    local user
    user=$(id -u)
    mkdir -p "$PGDATA"
    chmod 0700 "$PGDATA" || true
    mkdir -p "$socket_dir" || true
    chmod 0775 "$socket_dir" || true
    if [[ $user == 0 ]]; then
        find "$PGDATA" ! -user "$BENCH_DB_USER" -exec chown "$BENCH_DB_USER" {} +
        find "$socket_dir" ! -user "$BENCH_DB_USER" -exec chown "$BENCH_DB_USER" {} +
    fi
}

make_cluster() {
    local method
    getent passwd "$(id -u)" >/dev/null
    initdb --username=postgres --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") -D "$PGDATA"
    # In the official image the sample file says so already.
    printf "\nlisten_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
    method=$(postgres -D "$PGDATA" -C password_encryption)
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

ask() { psql -X -v ON_ERROR_STOP=1 -h "$socket_dir" -U postgres -d postgres -w -At "$@"; }

make_database() {
    local found
    pg_ctl -D "$PGDATA" -w -o "-c listen_addresses='' -k '$socket_dir'" start
    found=$(ask -v db="$POSTGRES_DB" <<<"select 1 from pg_database where datname = :'db'")
    if [[ -z $found ]]; then
        ask -v db="$POSTGRES_DB" <<<'create database :"db"'
    fi
    pg_ctl -D "$PGDATA" -w -m fast stop
}

make_directories
if [[ $(id -u) == 0 ]]; then
    exec setpriv --reuid="$BENCH_DB_USER" --regid="$BENCH_DB_USER" --init-groups \
        bash "${BASH_SOURCE[0]}" "$@"
fi
if [[ ! -s $PGDATA/PG_VERSION ]]; then
    make_cluster
    make_database
fi
exec postgres -k "$socket_dir" "$@"
