"""A name server that never answers: requests end, nothing else waits, and the process can end."""

import subprocess
import sys
from pathlib import Path

_INSIDE = """
import asyncio, socket
from walsup import settings
from walsup.archive.storage.fault_mapping import classify
from walsup.archive.storage.s3.bucket import S3Bucket

silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
bucket = S3Bucket(settings.load({
    "WALSUP_ARCHIVE": "s3://b/db", "AWS_ENDPOINT": "http://s3.example",
    "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
}))

async def main():
    asked = [bucket.get("walsup/owner.json") for _ in range(20)]
    for raised in await asyncio.gather(*asked, return_exceptions=True):
        print(classify(raised).kind)
    print(await asyncio.to_thread(lambda: "other work"))

asyncio.run(main())
"""
_RESOLVER_S = 300


def test_a_resolver_that_hangs_holds_up_nothing(tmp_path: Path) -> None:
    """In a network of its own; the resolver's threads go on for five minutes."""
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"nameserver 127.0.0.1\noptions timeout:30 attempts:{_RESOLVER_S // 30}\n")
    steps = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && exec "$2" -c "$3"'
    inside = ["sh", "-c", steps, "sh", str(conf), sys.executable, _INSIDE]
    done = subprocess.run(
        ["unshare", "--net", "--mount", *inside],
        capture_output=True,
        text=True,
        check=False,
        timeout=_RESOLVER_S / 3,
    )
    assert done.stdout.split("\n")[:21] == ["timeout"] * 20 + ["other work"], done.stderr
    assert done.returncode == 0
