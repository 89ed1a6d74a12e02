# PostgreSQL with walsup as PID 1, a drop-in for the official image.
#
#   docker build -t walsup .
#   docker build -t walsup --build-arg ENGINE=wal-g \
#       --build-arg WALG_URL=https://… --build-arg WALG_SHA256=… .
#   docker build -t walsup --build-arg ENGINE=local .   # docker/engine/
#   docker build -t walsup --build-arg BASE=postgres:16-bookworm .
#
# BASE is Debian, or an image made of it: the official image says PG_MAJOR and PGDATA itself.
#
# Needs BuildKit; only the chosen engine's stage is built. Behind a proxy or a mirror of one's own:
#   --secret id=ca,src=ca-bundle.pem    the CAs that pip, cargo and curl shall trust
#   --secret id=pip,src=pip.conf        pip's configuration (an index of one's own)
#   --secret id=cargo,src=config.toml   cargo's
# None of them is left in the image.
ARG BASE=debian:trixie-slim
ARG RUST=rust:1.95-slim-trixie
ARG ENGINE=wal-rus

# ---------------------------------------------------------------- engine: wal-rus
FROM ${RUST} AS engine-wal-rus
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ARG WALRUS_VERSION=0.4.1
# Not --locked: its lock file names a dependency that has been withdrawn since.
RUN --mount=type=secret,id=ca --mount=type=secret,id=cargo,target=/config.toml \
    --mount=type=cache,target=/cargo-home --mount=type=cache,target=/cargo-target \
    if [ -s /run/secrets/ca ]; then export CARGO_HTTP_CAINFO=/run/secrets/ca; fi; \
    export CARGO_HOME=/cargo-home CARGO_TARGET_DIR=/cargo-target; \
    export CARGO_PROFILE_RELEASE_STRIP=symbols; \
    cargo install wal-rus --version "${WALRUS_VERSION}" --root /built; \
    install -D --target-directory=/engine /built/bin/walrus; \
    /engine/walrus --version

# ---------------------------------------------------------------- engine: wal-g
FROM ${BASE} AS engine-wal-g
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ARG WALG_URL
ARG WALG_SHA256
RUN : "${WALG_URL:?ENGINE=wal-g needs --build-arg WALG_URL (the release of your platform)}"; \
    : "${WALG_SHA256:?ENGINE=wal-g needs --build-arg WALG_SHA256, from the release page}"
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl
COPY docker/fetch-wal-g.sh /
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export CURL_CA_BUNDLE=/run/secrets/ca; fi; \
    bash /fetch-wal-g.sh "${WALG_URL}" "${WALG_SHA256}" /engine

# ---------------------------------------------------------------- engine: local
FROM ${BASE} AS engine-local
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
COPY docker/engine/ /given/
RUN shopt -s nullglob; given=(/given/{wal-g,walg-daemon-client,walrus}); \
    for file in "${given[@]}"; do \
        if [ -f "$file" ]; then install -D --target-directory=/engine "$file"; fi; \
    done; \
    if [ ! -e /engine/wal-g ] && [ ! -e /engine/walrus ]; then \
        echo "ENGINE=local: put wal-g (and walg-daemon-client) or walrus into docker/engine" >&2; \
        exit 1; \
    fi

# hadolint ignore=DL3006
FROM engine-${ENGINE} AS engine

# ---------------------------------------------------------------- walsup and its packages
FROM ${BASE} AS packages
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv binutils
# Not --copies: the interpreter stays Debian's, with Debian's security updates. No pip inside.
RUN python3 -m venv --without-pip /opt/walsup; python3 -m venv /pip
COPY pyproject.toml /src/
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip,target=/pip.conf \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    if [ -s /pip.conf ]; then export PIP_CONFIG_FILE=/pip.conf; fi; \
    needs() { python3 -c "import tomllib; \
        print(*tomllib.load(open('/src/pyproject.toml', 'rb'))$1, sep='\n')"; }; \
    needs '["build-system"]["requires"]' >/src/build.txt; \
    needs '["project"]["dependencies"]' >/src/run.txt; \
    /pip/bin/pip install --no-cache-dir --requirement /src/build.txt; \
    /pip/bin/pip --python /opt/walsup/bin/python install --no-cache-dir --no-compile \
        --requirement /src/run.txt
COPY LICENSE /src/
COPY walsup /src/walsup
# Sources of compiled modules, symbols, type stubs: nothing that runs reads them. Bytecode is
# compiled here and never compared with the source: the root file system may be read-only.
RUN /pip/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheel /src; \
    /pip/bin/pip --python /opt/walsup/bin/python install --no-cache-dir --no-compile --no-deps \
        /wheel/*.whl; \
    find /opt/walsup/lib -regextype posix-extended -regex '.*\.(c|h|pyx|pxd|pxi|pyi)' -delete; \
    find /opt/walsup/lib -type d -name tests -prune -exec rm -r {} +; \
    find /opt/walsup/lib -name '*.so' -exec strip --strip-unneeded {} +; \
    rm /opt/walsup/bin/{activate*,Activate*}; \
    /opt/walsup/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/walsup/lib

# ---------------------------------------------------------------- the image
# hadolint ignore=DL3006
FROM ${BASE}
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# Without a default: one would win over what an official image as BASE says itself.
ARG PG_MAJOR
# 18 and later: /var/lib/postgresql/18/docker, as in the official image.
ARG PGDATA
ENV PG_MAJOR=${PG_MAJOR:-17} \
    PGDATA=${PGDATA:-/var/lib/postgresql/data}
ENV WALSUP_PYTHON=/opt/walsup/bin/python3 \
    PATH=/usr/lib/postgresql/${PG_MAJOR}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=en_US.utf8

# The official image's ids: its volumes are ours without a change of owner. A BASE may have the user
# already, or another one with this id.
RUN gid=--gid=999 uid=--uid=999; \
    if getent group 999; then gid=''; fi; \
    if getent passwd 999; then uid=''; fi; \
    if ! getent group postgres; then groupadd --system ${gid:+"$gid"} postgres; fi; \
    if ! getent passwd postgres; then \
        useradd --system --gid=postgres ${uid:+"$uid"} --home-dir=/var/lib/postgresql \
            --shell=/bin/bash postgres; \
    fi

# - no cluster of Debian's own is made, at this or any later installation;
# - xz, zstd: initdb.d's compressed scripts; libnss-wrapper: initdb under a uid without a name;
# - locale: the official image's, without which its volumes would not start;
# - any uid may make its data directory below /var/lib/postgresql, and its sockets' below /run,
#   where walsup makes /run/postgresql for itself alone: local logins are trusted.
# hadolint ignore=DL3008
RUN apt-get update; \
    apt-get install --yes --no-install-recommends \
        ca-certificates libnss-wrapper locales postgresql-common python3 tzdata xz-utils zstd; \
    sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' \
        /etc/postgresql-common/createcluster.conf; \
    aliases=/etc/locale.alias; \
    if [ ! -e "$aliases" ]; then aliases=/dev/null; fi; \
    localedef -i en_US -c -f UTF-8 -A "$aliases" en_US.UTF-8; \
    apt-get install --yes --no-install-recommends "postgresql-${PG_MAJOR}"; \
    if [ -n "$(apt-cache search --names-only "^postgresql-${PG_MAJOR}-jit$")" ]; then \
        apt-get install --yes --no-install-recommends "postgresql-${PG_MAJOR}-jit"; \
    fi; \
    install --directory --owner=postgres --group=postgres --mode=1777 /var/lib/postgresql \
        "${PGDATA}"; \
    mkdir --parents /docker-entrypoint-initdb.d; \
    rm -rf /run/*; \
    chmod 1777 /run; \
    apt-get clean; \
    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /etc/*-

COPY --from=engine /engine/ /usr/local/bin/
COPY --from=packages /opt/walsup /opt/walsup
COPY entrypoint.sh docker/walsup-healthy docker/walsup-ready /usr/local/bin/
RUN ln -s /opt/walsup/bin/walsup /usr/local/bin/walsup; \
    ln -s --force entrypoint.sh /usr/local/bin/docker-entrypoint.sh

# No VOLUME: an anonymous one would hide that a mount was forgotten.
# No USER: as root walsup gives a fresh volume to `postgres`, becomes it and stays it, as the
# official image does. Any other uid (--user, runAsUser) needs no capability at all.
# INT and TERM both stop fast; INT does so too where somebody runs postgres itself as PID 1.
STOPSIGNAL SIGINT
EXPOSE 5432 9351
# What fails while starting (a restore may take hours) is not counted for a day.
HEALTHCHECK --interval=10s --timeout=5s --retries=3 --start-period=24h CMD ["walsup-healthy"]
ENTRYPOINT ["entrypoint.sh"]
CMD ["postgres"]

ARG VERSION=0.1.0
ARG REVISION=unknown
ARG BASE
LABEL org.opencontainers.image.title="walsup" \
      org.opencontainers.image.description="PostgreSQL that archives its WAL to S3 and can say what would be lost" \
      org.opencontainers.image.licenses="Apache-2.0 AND PostgreSQL" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
