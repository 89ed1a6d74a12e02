"""The bucket in a directory: conditional writes, listings as S3 gives them, a worker that hangs."""

import asyncio
import gc
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.harness.processes.waiting import wait_until
from walsup.archive.storage.bucket import Bucket
from walsup.archive.storage.directory_bucket import FileBucket, Worker
from walsup.archive.storage.directory_operations import Directory
from walsup.archive.storage.fault_mapping import classify, is_absent, is_conflict
from walsup.settings import FileArchive

OWNER = "walsup/owner.json"


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[FileBucket]:
    """One in an empty directory."""
    one = FileBucket(FileArchive(directory=str(tmp_path)))
    yield one
    one.close()


def _touch(directory: Path, *keys: str) -> None:
    for key in keys:
        (directory / key).parent.mkdir(parents=True, exist_ok=True)
        (directory / key).write_bytes(b"x")


async def _lost(writes: "list[asyncio.Task[str]]") -> int:
    ended = await asyncio.gather(*writes, return_exceptions=True)
    assert all(isinstance(e, str) or is_conflict(e) for e in ended), ended
    return sum(not isinstance(e, str) for e in ended)


@pytest.mark.rule("one-owner")
async def test_of_many_writers_one_wins(tmp_path: Path) -> None:
    """Eight processes create, then replace the same version: seven are told that they lost."""
    many = [FileBucket(FileArchive(directory=str(tmp_path))) for _ in range(8)]
    created = [asyncio.create_task(b.create(OWNER, bytes([n]))) for n, b in enumerate(many)]
    assert await _lost(created) == 7
    found = await many[0].get(OWNER)
    again = [
        asyncio.create_task(b.replace(OWNER, bytes([n, n]), found.etag)) for n, b in enumerate(many)
    ]
    assert await _lost(again) == 7
    assert sorted(path.name for path in (tmp_path / "walsup").iterdir()) == ["lock", "owner.json"]
    for one in many:
        one.close()


@pytest.mark.rule("one-owner")
async def test_a_kill_leaves_the_old_or_the_new_content(bucket: FileBucket) -> None:
    """Whatever the moment, an object is whole, and the next write goes on."""
    contents = [bytes([n]) * 5000 for n in range(40)]
    await bucket.create(OWNER, contents[0])
    for wanted in contents[1:]:
        found = await bucket.get(OWNER)
        assert found.content in contents
        write = asyncio.create_task(bucket.replace(OWNER, wanted, found.etag))
        await asyncio.sleep(wanted[0] / 20000)
        bucket.kill()
        await asyncio.gather(write, return_exceptions=True)
        bucket.close()
    found = await bucket.get(OWNER)
    await bucket.replace(OWNER, b"last", found.etag)
    assert (await bucket.get(OWNER)).content == b"last"


async def test_a_piece_of_a_file(bucket: FileBucket) -> None:
    """What begins after the end is empty; what is absent is absent."""
    await bucket.create(OWNER, b"ab\xffcdef")
    assert await bucket.piece(OWNER, 2, 3) == b"\xffcd"
    assert await bucket.piece(OWNER, 5, 9) == b"ef"
    assert await bucket.piece(OWNER, 7, 9) == b""
    with pytest.raises(FileNotFoundError):
        await bucket.piece("nothing", 0, 1)


async def test_a_listing_is_in_the_order_of_s3(bucket: FileBucket, tmp_path: Path) -> None:
    """By the whole key, continued after a key, without what is half, without what lies deeper."""
    _touch(
        tmp_path,
        *("wal_005/b", "wal_005/a/2", "wal_005/a-1", "wal_005/a.1", "wal_005/B", "other/x"),
        *("wal_005/c.zst.tmp.17", "wal_005/c.lz4.tmp.20260101T000000Z-0a1b2c3d"),
    )
    keys = [key async for key in bucket.keys("wal_005")]
    assert keys == [f"wal_005/{k}" for k in ("B", "a-1", "a.1", "b")]
    assert [key async for key in bucket.keys("wal_005", "wal_005/a.1")] == keys[3:]
    assert [key async for key in bucket.keys("nothing")] == []
    assert [key for key, _ in await bucket.folder("wal_005")] != []
    assert bucket.first_key_now("wal_005").startswith("wal_005/")
    assert bucket.first_key_now("basebackups_005") == ""


async def test_a_name_is_not_the_object_in_a_directory(bucket: FileBucket, tmp_path: Path) -> None:
    """Folders, pipes, links that lead nowhere and links that lead above are no objects."""
    _touch(tmp_path, "wal_005/b", "wal_005/old/b", "wal_005/a.zst/b")
    os.mkfifo(tmp_path / "wal_005" / "pipe")
    (tmp_path / "wal_005" / "nowhere").symlink_to("missing")
    (tmp_path / "wal_005" / "above").symlink_to(tmp_path)
    (tmp_path / "wal_005" / "c").symlink_to("b")
    (page,) = [page async for page in bucket.pages("wal_005")]
    assert [listed[:2] for listed in page.objects] == [("wal_005/b", 1), ("wal_005/c", 1)]
    assert page.folders == ("wal_005/a.zst/", "wal_005/above/", "wal_005/old/")
    assert await bucket.torn("wal_005", "") == []


def test_the_pages_of_a_directory_go_on_where_they_ended(tmp_path: Path) -> None:
    """Each file and each folder is shown once, in order."""
    _touch(tmp_path, *(f"f/{n}" for n in range(7)), "f/3x/y", "f/9/y")
    directory, after = Directory(str(tmp_path), lambda: None), ""
    files: list[str] = []
    folders: list[str] = []
    for _ in range(4):
        page: dict[str, Any] = directory.page("f", after, 2)
        files += [row[0] for row in page["files"]]
        folders += page["folders"]
        after = page["after"]
    assert files == [f"f/{n}" for n in range(7)]
    assert folders == ["f/3x/", "f/9/"]
    assert after == ""


async def test_absent_and_the_faults_of_a_directory(bucket: Bucket, tmp_path: Path) -> None:
    """An object that is not there is absent; a directory that is not there never is."""
    with pytest.raises(FileNotFoundError) as absent:
        await bucket.get("nothing")
    assert is_absent(absent.value)
    with pytest.raises(OSError, match="free") as full:
        await bucket.probe(1 << 60)
    assert classify(full.value).kind == "disk full"
    nowhere = FileBucket(FileArchive(directory=str(tmp_path / "nowhere")))
    with pytest.raises(FileNotFoundError) as missing:
        await nowhere.get("nothing")
    assert not is_absent(missing.value)
    assert classify(missing.value).kind == "no bucket"
    with pytest.raises(FileNotFoundError):
        nowhere.first_key_now("basebackups_005")
    nowhere.close()


@pytest.mark.rule("hung-filesystem")
async def test_a_hung_worker_is_given_up(tmp_path: Path) -> None:
    """A request has an end, and a worker that died of it is replaced."""
    bucket = FileBucket(FileArchive(directory=str(tmp_path)), timeout_s=4.0)
    await bucket.create(OWNER, b"1")
    bucket.kill(signal.SIGSTOP)
    with pytest.raises(TimeoutError) as late:
        await bucket.get(OWNER)
    assert classify(late.value).kind == "timeout"
    assert (await bucket.get(OWNER)).content == b"1"
    bucket.close()


def test_a_worker_that_dies_late_is_reaped(tmp_path: Path) -> None:
    """On a busy machine a killed process ends after its patience; no zombie and no warning stay."""
    worker = Worker(str(tmp_path), death_patience_s=0.0)
    (tmp_path / "key").write_bytes(b"1")
    assert worker.ask(60.0, do="get", key="key")["content"] == "1"
    (pid,) = _children("storage.directory_worker")
    worker.close()
    worker.close()
    del worker
    gc.collect()
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "it is reaped", timeout_s=60)


def _children(words: str) -> list[int]:
    """The pids of this process's children with these words in their command."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in found if words in Path(f"/proc/{pid}/cmdline").read_text()]


@pytest.mark.rule("archive-names")
def test_no_name_of_ours_looks_like_wal(tmp_path: Path) -> None:
    """Not for a moment, and not with the longest pid: a kill leaves what is being written."""
    opened: list[str] = []
    watching = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "open":
            opened.append(str(arguments[0]))

    sys.addaudithook(hook)
    Directory(str(tmp_path), lambda: None).create(OWNER, "1")
    watching = False
    digits = [run for path in opened for run in re.findall(r"[0-9A-F]+", path.rpartition("/")[2])]
    longest_pid = 7
    assert max(map(len, digits)) - len(str(os.getpid())) + longest_pid < 24
