"""What a server's answers mean to whoever asked the bucket, byte for byte as servers give them."""

from collections.abc import Awaitable, Callable

import pytest

from tests.unit.archive.storage.s3.scripted import Scripted
from walsup import settings
from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.storage.fault_mapping import classify, is_absent, is_conflict
from walsup.archive.storage.s3.bucket import S3Bucket

Request = Callable[[S3Bucket], Awaitable[object]]


def answer(status: int, body: str = "", headers: str = "") -> bytes:
    """An answer in bytes."""
    length = f"Content-Length: {len(body.encode())}\r\n"
    return f"HTTP/1.1 {status} x\r\n{length}{headers}\r\n{body}".encode()


def error(status: int, code: str, more: str = "", headers: str = "") -> bytes:
    """A refusal with S3's document."""
    return answer(status, f"<Error><Code>{code}</Code>{more}</Error>", headers)


async def get(bucket: S3Bucket) -> object:
    """Read an object."""
    return await bucket.get("walsup/owner.json")


async def create(bucket: S3Bucket) -> object:
    """Write one that must not exist."""
    return await bucket.create("walsup/owner.json", b"{}")


async def replace(bucket: S3Bucket) -> object:
    """Write over one."""
    return await bucket.replace("walsup/owner.json", b"{}", '"x"')


async def keys(bucket: S3Bucket) -> object:
    """List."""
    return [key async for key in bucket.keys("wal_005")]


async def folder(bucket: S3Bucket) -> object:
    """List a folder."""
    return await bucket.folder("basebackups_005")


async def raised(request: Request, *answers: bytes) -> Exception:
    """What the request raises when this is the answer."""
    server = Scripted(*[[one] for one in answers])
    with server, pytest.raises(Exception, match=r".") as found:
        await request(_bucket(server))
    return found.value


async def given(request: Request, *answers: bytes) -> tuple[object, list[bytes]]:
    """What the request gives when these are the answers, and the first lines of its requests."""
    server = Scripted([*answers])
    with server:
        found = await request(_bucket(server))
    return found, [heard.partition(b" HTTP")[0] for heard in server.heard]


def _bucket(server: Scripted) -> S3Bucket:
    environment = {
        "WALSUP_ARCHIVE": "s3://b/db",
        "AWS_ENDPOINT": f"http://127.0.0.1:{server.port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    return S3Bucket(settings.load(environment))


@pytest.mark.parametrize(
    ("told", "piece"),
    [
        (answer(206, "cdef"), b"cdef"),
        (answer(206, "c"), b"c"),
        (error(416, "InvalidRange"), b""),
        (answer(200, "abcdefghi"), b"cdefghi"),  # a server that knows no ranges
        (answer(200, "ab"), b""),
    ],
)
async def test_a_piece_of_an_object(told: bytes, piece: bytes) -> None:
    """What begins after the end is empty; what is absent is absent."""

    async def ask(bucket: S3Bucket) -> object:
        return await bucket.piece("walsup/owner.json", 2, 4)

    found, _ = await given(ask, told)
    assert found == piece
    assert is_absent(await raised(ask, error(404, "NoSuchKey")))


async def test_only_s3s_own_word_is_absence() -> None:
    """A 404 of something else in the server's place must not start a new archive."""
    assert is_absent(await raised(get, error(404, "NoSuchKey")))
    for other in (answer(404), answer(404, "<html>no such page"), error(404, "NoSuchBucket")):
        found = await raised(get, other)
        assert not isinstance(found, FileNotFoundError)
        assert not is_absent(found)


@pytest.mark.parametrize("request_", [create, replace])
@pytest.mark.parametrize(
    ("status", "code"),
    [(412, "PreconditionFailed"), (409, "ConditionalRequestConflict"), (412, "")],
)
async def test_a_condition_that_did_not_hold(request_: Request, status: int, code: str) -> None:
    """With its word or without."""
    found = await raised(request_, error(status, code) if code else answer(status))
    assert is_conflict(found)
    assert classify(found).kind == FaultKind.OVERWRITE_CONFLICT


@pytest.mark.parametrize("request_", [get, keys, folder, create])
@pytest.mark.parametrize("page", [answer(404, "<html><p>Nothing"), answer(400, "what?")])
async def test_what_is_no_s3_server_is_named(request_: Request, page: bytes) -> None:
    """As when AWS_ENDPOINT is the port of a server's console."""
    fault = classify(await raised(request_, page))
    assert "AWS_ENDPOINT" in fault.cure
    assert fault.problem.startswith("s3:")


@pytest.mark.parametrize("request_", [keys, folder])
@pytest.mark.parametrize("page", ["<!doctype html><title>Console", "<html/>", "", "{}"])
async def test_a_page_is_no_empty_listing(request_: Request, page: str) -> None:
    """An initdb waits for a listing; this is none, whatever its status says."""
    fault = classify(await raised(request_, answer(200, page)))
    assert fault.kind == FaultKind.NO_S3_SERVER
    assert "AWS_ENDPOINT" in fault.cure


@pytest.mark.parametrize(
    "refusal",
    [
        error(301, "PermanentRedirect", headers="x-amz-bucket-region: eu-north-1\r\n"),
        error(400, "AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>"),
        answer(301, headers="x-amz-bucket-region: eu-north-1\r\n"),
    ],
)
async def test_the_right_region_is_named(refusal: bytes) -> None:
    """S3 tells it in a header, or in its document."""
    fault = classify(await raised(get, refusal))
    assert (fault.kind, fault.cure) == ("wrong region", "set AWS_REGION=eu-north-1")


async def test_only_what_a_person_needs_is_shown() -> None:
    """The code and S3's message; not the document, which repeats what was signed."""
    more = f"<Message>{'m' * 500}</Message><StringToSign>AWS4 secrets</StringToSign>"
    fault = classify(await raised(get, error(403, "SignatureDoesNotMatch", more)))
    assert fault._replace(remedy="") == Fault(
        FaultKind.AUTH,
        f"s3:GetObject on b/db/walsup/owner.json: status 403 (SignatureDoesNotMatch: {'m' * 200})",
    )


LISTING = (
    "<ListBucketResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><EncodingType>url</EncodingType>"
    "<IsTruncated>{cut}</IsTruncated><NextContinuationToken>t+/=</NextContinuationToken>{rows}"
    "</ListBucketResult>"
)
ROW = "<Contents><Key>{}</Key><LastModified>2026-11-27T09:00:00.000Z</LastModified></Contents>"


def listing(*names: str, cut: bool = False) -> bytes:
    """A page of a listing."""
    rows = "".join(ROW.format(name) for name in names)
    return answer(200, LISTING.format(cut=str(cut).lower(), rows=rows))


async def test_all_pages_of_a_listing() -> None:
    """In order, the token as it was given; a console's mark of a folder is no object."""
    pages = (listing("db/wal_005/", "db/wal_005/a%2Bb", cut=True), listing("db/wal_005/c"))
    found, asked = await given(keys, *pages)
    assert found == ["wal_005/a+b", "wal_005/c"]
    assert b"prefix=db%2Fwal_005%2F" in asked[0]
    assert asked[1].startswith(b"GET /b?continuation-token=t%2B%2F%3D&")
    found, asked = await given(folder, listing("db/basebackups_005/x"))
    assert found == [("basebackups_005/x", 1795770000.0)]
    assert b"delimiter=%2F" in asked[0]


@pytest.mark.parametrize(
    "key", ["db2/wal_005/x", "db/basebackups_005/x", "wal_005/x", "db/wal_005"]
)
async def test_a_key_that_was_not_asked_for_is_not_believed(key: str) -> None:
    """A server that ignores the prefix would show the neighbour's segments as ours."""
    fault = classify(await raised(keys, listing(key)))
    assert f"the server shows {key}" in fault.problem


@pytest.mark.parametrize("request_", [keys, folder])
@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<ListBucketResult/>", "does not say whether its listing is complete"),
        (LISTING.format(cut="false", rows="<Contents/>"), "a row without Key"),
        (LISTING.format(cut="true", rows="").replace("Next", "Other"), "cut off"),
        ("<?xml version='1.0' encoding='nosuch'?><ListBucketResult/>", "not XML"),
    ],
)
async def test_a_listing_that_proves_nothing(request_: Request, page: str, said: str) -> None:
    """It is a fault, never an end, and never an exception that nobody knows."""
    fault = classify(await raised(request_, answer(200, page)))
    assert said in fault.problem


async def test_a_listing_without_end_ends() -> None:
    """A server that gives the same token again."""
    server = Scripted([listing(cut=True)] * 3)
    with server, pytest.raises(FaultError, match="without end"):
        await keys(_bucket(server))
    assert len(server.heard) == 2


async def test_a_time_that_is_none() -> None:
    """Which base backup is the newest is not guessed."""
    page = LISTING.format(cut="false", rows=ROW.format("db/basebackups_005/x"))
    fault = classify(await raised(folder, answer(200, page.replace("2026-11-27T09", "yesterday"))))
    assert "time is not valid" in fault.problem


async def test_a_folders_mark_shows_that_somebody_was_there() -> None:
    """Nothing new is made beside it, though it is no object of the archive's."""
    server = Scripted([listing("db/wal_005/"), listing("db/wal_005/")])
    with server:
        bucket = _bucket(server)
        assert bucket.first_key_now("wal_005") == "wal_005/"
        assert await keys(bucket) == []


async def test_a_read_cannot_lose() -> None:
    """412 belongs to a write with a condition."""
    for request in (get, keys):
        assert not is_conflict(await raised(request, error(412, "PreconditionFailed")))


async def test_an_empty_page_is_not_the_end() -> None:
    """Where a server filters after it has cut."""
    server = Scripted([listing(cut=True), listing("db/wal_005/x"), listing(cut=True), listing()])
    with server:
        bucket = _bucket(server)
        assert bucket.first_key_now("wal_005") == "wal_005/x"
        assert bucket.first_key_now("wal_005") == ""


async def test_a_server_that_ignores_the_delimiter_shows_no_other_names() -> None:
    """What lies in a folder of the folder is left out, whoever leaves it out."""
    found, asked = await given(keys, listing("db/wal_005/a", "db/wal_005/old/b", "db/wal_005/old/"))
    assert found == ["wal_005/a"]
    assert b"delimiter=%2F" in asked[0]


async def test_a_listing_that_goes_round_in_a_circle_ends() -> None:
    """Each token differs from the one before, and each page shows the same keys."""
    page = listing("db/wal_005/a", cut=True)
    pages = [page.replace(b"t+/=", str(n % 2).encode() * 4) for n in range(9)]
    server = Scripted(pages)
    with server, pytest.raises(FaultError, match="does not end"):
        await keys(_bucket(server))
    assert len(server.heard) == 3


async def test_a_listing_out_of_order_proves_nothing() -> None:
    """What is missing in it could not be told."""
    for pages in (
        [listing("db/wal_005/b", "db/wal_005/a")],
        [listing("db/wal_005/b", cut=True), listing("db/wal_005/a")],
    ):
        server = Scripted(pages)
        with server, pytest.raises(FaultError, match="not in the order of keys") as raised:
            await keys(_bucket(server))
        assert raised.value.fault.kind is FaultKind.SERVER_ERROR
        assert raised.value.fault.cure.startswith("use a server that lists objects in the order")


async def test_a_server_that_begins_a_page_with_what_it_has_shown() -> None:
    """Each key is given once, and nothing before the key after which it was asked."""

    async def after_b(bucket: S3Bucket) -> object:
        return [key async for key in bucket.keys("wal_005", "wal_005/b")]

    first = listing(*(f"db/wal_005/{n}" for n in "abc"), cut=True)
    found, _ = await given(after_b, first, listing("db/wal_005/c", "db/wal_005/d"))
    assert found == ["wal_005/c", "wal_005/d"]


@pytest.mark.parametrize(
    ("storage_class", "unreadable"),
    [
        ("GLACIER", "GLACIER"),
        ("DEEP_ARCHIVE", "DEEP_ARCHIVE"),
        ("GLACIER_IR", ""),
        ("STANDARD", ""),
    ],
)
async def test_a_listing_tells_what_cannot_be_read_in_its_storage_class(
    storage_class: str, unreadable: str
) -> None:
    """A lifecycle rule changes neither key, nor size, nor time; GLACIER_IR is read at once."""
    ending = f"<StorageClass>{storage_class}</StorageClass></Contents>"
    rows = ROW.format("db/wal_005/a").replace("</Contents>", ending)
    server = Scripted([answer(200, LISTING.format(cut="false", rows=rows))])
    with server:
        (page,) = [page async for page in _bucket(server).pages("wal_005")]
    assert page.objects[0].unreadable_class == unreadable


async def test_a_listing_tells_sizes_and_folders() -> None:
    """A folder is shown once, however much lies in it."""
    rows = ROW.format("db/wal_005/a").replace("</Contents>", "<Size>17</Size></Contents>")
    rows += "<CommonPrefixes><Prefix>db/wal_005/o%20ld/</Prefix></CommonPrefixes>"
    server = Scripted([answer(200, LISTING.format(cut="false", rows=rows))])
    with server:
        (page,) = [page async for page in _bucket(server).pages("wal_005")]
    assert page.objects[0][:2] == ("wal_005/a", 17)
    assert page.folders == ("wal_005/o ld/",)
