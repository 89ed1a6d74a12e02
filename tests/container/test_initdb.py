"""/docker-entrypoint-initdb.d in the image itself: every kind, as any user, on a read-only root."""

import gzip
import lzma
from collections.abc import Callable

from dev.containers import Box, client

Make = Callable[..., Box]


def _scripts(image: str) -> dict[str, bytes]:
    def row(kind: str) -> bytes:
        return f"insert into kinds values ('{kind}');\n".encode()

    # This machine may have no zstd; the image has.
    packed = client.docker_bytes("run", "--rm", "-i", image, "zstd", "-c", stdin=row("zst"))
    return {
        "1-run.sh": b"#!/bin/bash\nset -e\npsql -c 'create table kinds (k text, n serial)'\n",
        "2-sourced.sh": b"psql -c \"insert into kinds values ('sourced')\"\n",
        "3.sql": row("sql"),
        "4.sql.gz": gzip.compress(row("gz")),
        "5.sql.xz": lzma.compress(row("xz")),
        "6.sql.zst": packed,
        "7.txt": b"no script\n",
    }


def test_scripts_of_every_kind_run_once(box: Make, default_image: str) -> None:
    """In name order, in the operator's database, before the first connection over the network."""
    names = {"POSTGRES_USER": "the boss", "POSTGRES_DB": "our shop"}
    one = box(
        env=names,
        flags=["--read-only", "--cap-drop", "ALL", "--tmpfs", "/run", "--tmpfs", "/tmp"],
    )
    one.flags += ["--user", "postgres", "--security-opt", "no-new-privileges"]
    folder = one.folder / "scripts"
    folder.mkdir()
    for name, content in _scripts(default_image).items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o755 if content.startswith(b"#!") else 0o644)
    one.flags += ["--volume", f"{folder}:/docker-entrypoint-initdb.d:ro"]
    one.volume().run()
    one.wait_accepts()
    kinds = "select string_agg(k, ' ' order by n) from kinds"
    assert one.psql(kinds) == "sourced sql gz xz zst"
    assert "ignoring" in one.log() or "initdb.ignored" in one.log()
    assert one.stop() == 0
    one.start()
    one.wait_accepts()
    assert one.psql(kinds) == "sourced sql gz xz zst"


def test_a_script_that_fails_ends_the_container_and_leaves_nothing_half(box: Make) -> None:
    """The script's name is in the last word, and the next start begins anew."""
    one = box()
    folder = one.folder / "scripts"
    folder.mkdir()
    (folder / "1.sql").write_text("create table t (n int);\nselect no_such_function();\n")
    one.flags += ["--volume", f"{folder}:/docker-entrypoint-initdb.d:ro"]
    one.volume().run()
    assert one.wait() == 70
    assert "1.sql" in one.last_word()
    (folder / "1.sql").write_text("create table t (n int);\n")
    one.start()
    one.wait_accepts()
    assert one.psql("select count(*) from t") == "0"
