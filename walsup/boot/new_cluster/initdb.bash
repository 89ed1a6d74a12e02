# Runs the scripts of the directories given, in one shell, as docker-library's image does: a sourced
# script may leave variables and functions to the next. The first argument is a file that is made
# when all have run; a script that ends this shell does not get there.
# From the environment: POSTGRES_USER, POSTGRES_DB and libpq's PG*, which lead to the stage's server.
# shellcheck shell=bash
set -Eeo pipefail

docker_process_sql() {
    local query=(psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --username "$POSTGRES_USER")
    if [[ -n $POSTGRES_DB ]]; then
        query+=(--dbname "$POSTGRES_DB")
    fi
    "${query[@]}" "$@"
}

# file_env NAME [DEFAULT]: scripts give themselves a variable from NAME or the file NAME_FILE.
file_env() {
    local name=$1 file=${1}_FILE
    if [[ -n ${!name:-} && -n ${!file:-} ]]; then
        echo "error: both $name and $file are set (but are exclusive)" >&2
        exit 1
    fi
    if [[ -z ${!name:-} && -n ${!file:-} ]]; then
        export "$name=$(<"${!file}")"
    else
        export "$name=${!name:-${2:-}}"
    fi
    unset "$file"
}

walsup_run_scripts() {
    local f
    # Scripts for older images call psql through this array.
    # shellcheck disable=SC2034
    local psql=(docker_process_sql)
    for f; do
        case $f in
        *.sh)
            if [[ -x $f ]]; then
                echo "walsup: running $f"
                "$f"
            else
                echo "walsup: sourcing $f"
                # shellcheck disable=SC1090
                . "$f"
            fi
            ;;
        *.sql)
            echo "walsup: running $f"
            docker_process_sql -f "$f"
            ;;
        *.sql.gz)
            echo "walsup: running $f"
            gzip -dc "$f" | docker_process_sql
            ;;
        *.sql.xz)
            echo "walsup: running $f"
            xz -dc "$f" | docker_process_sql
            ;;
        *.sql.zst)
            echo "walsup: running $f"
            zstd -dcq "$f" | docker_process_sql
            ;;
        *) echo "walsup: ignoring $f" ;;
        esac
    done
}

walsup_all_have_run=$1
shift
for walsup_directory; do
    shopt -s nullglob
    walsup_files=("$walsup_directory"/*)
    shopt -u nullglob
    walsup_run_scripts "${walsup_files[@]}"
done
: >"$walsup_all_have_run"
