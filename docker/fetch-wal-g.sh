#!/usr/bin/env bash
# Fetches a release of WAL-G and installs it: fetch-wal-g.sh URL SHA256 DIRECTORY.
# A release is the program itself or a .tar.gz with it inside, called wal-g or wal-g-pg-….
set -euo pipefail
readonly url=$1 sha256=$2 into=$3

work=$(mktemp -d)
curl --fail --silent --show-error --location --retry 3 --output "$work/release" "$url"
if ! echo "$sha256  $work/release" | sha256sum --check --strict --status; then
    found=$(sha256sum "$work/release" | cut -d' ' -f1)
    printf 'the checksum of %s is wrong\n  given:   %s\n  fetched: %s\n' \
        "$url" "$sha256" "$found" >&2
    printf 'HINT: nothing unproven is built in; take WALG_SHA256 from the release page\n' >&2
    exit 1
fi

if tar -tzf "$work/release" >/dev/null 2>&1; then
    mkdir "$work/unpacked"
    tar -xzf "$work/release" -C "$work/unpacked" --no-same-owner
else
    install -D "$work/release" "$work/unpacked/wal-g"
fi
program=$(find "$work/unpacked" -type f \( -name wal-g -o -name 'wal-g-pg-*' \) -print -quit)
if [[ -z $program ]]; then
    echo "no wal-g in $url: it is neither the program nor a .tar.gz with it" >&2
    exit 1
fi
install -D "$program" "$into/wal-g"
client=$(find "$work/unpacked" -type f -name 'walg-daemon-client*' -print -quit)
if [[ -n $client ]]; then
    install -D "$client" "$into/walg-daemon-client"
fi
rm -r "$work"
"$into/wal-g" --version
