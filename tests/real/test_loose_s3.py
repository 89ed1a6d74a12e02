"""The harness's server without conditional writes is what it says."""

from dev.harness import LooseS3


def test_it_ignores_both_conditions_and_lists_at_once() -> None:
    """Written over in spite of If-None-Match and of a stale If-Match; the last one counts."""
    with LooseS3() as loose:
        put = loose.client.put_object
        put(Bucket=loose.bucket, Key="a/owner.json", Body=b"1", IfNoneMatch="*")
        put(Bucket=loose.bucket, Key="a/owner.json", Body=b"2", IfNoneMatch="*")
        put(Bucket=loose.bucket, Key="a/owner.json", Body=b"3", IfMatch='"stale"')
        found = loose.client.get_object(Bucket=loose.bucket, Key="a/owner.json")["Body"].read()
        assert found == b"3"
        listed = loose.client.list_objects_v2(Bucket=loose.bucket, Prefix="a/")["Contents"]
        assert [entry["Key"] for entry in listed] == ["a/owner.json"]
        assert (loose.directory / "a" / "owner.json").read_bytes() == b"3"
