"""Whether two directories are lost together, by what is mounted where."""

import pytest

from walsup.system.devices import Device, device, lost_together, mounted, shared

MOUNTINFO = r"""
20 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
21 20 0:40 /@data /srv/my\040data rw shared:1 - btrfs /dev/vdb rw,subvol=/@data
22 20 0:41 /@archive /srv/archive rw shared:2 - btrfs /dev/vdb rw,subvol=/@archive
23 20 0:50 / /mnt/nfs rw - nfs4 server:/export rw
24 23 254:1 /x /mnt/nfs/bound rw - ext4 /dev/vda1 rw
25 20 0:51 / /tank/a rw - zfs tank/a rw
26 20 0:52 / /tank/b rw - zfs tank/b rw
27 20 0:53 / /other rw - zfs pool/b rw
28 20 0:60 / /t1 rw - tmpfs tmpfs rw
29 20 0:61 / /t2 rw - tmpfs tmpfs rw
30 20 0:62 / /hidden rw - ext4 /dev/vdc rw
31 20 0:63 / /hidden rw - ext4 /dev/vdd rw
nonsense
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", ("ext4", "/dev/vda1")),
        ("/srv/my data/pg", ("btrfs", "/dev/vdb")),
        ("/srv/my", ("ext4", "/dev/vda1")),
        ("/mnt/nfs", ("nfs4", "server:/export")),
        ("/mnt/nfs/bound/deep", ("ext4", "/dev/vda1")),
        ("/mnt/nfsx", ("ext4", "/dev/vda1")),
        ("/hidden/x", ("ext4", "/dev/vdd")),
    ],
)
def test_what_a_path_lies_on(path: str, found: tuple[str, str]) -> None:
    """The last mounted of the longest mount points above it."""
    assert mounted(MOUNTINFO, path) == found


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("/srv/my data", "/srv/archive", True),  # two sub-volumes
        ("/tank/a", "/tank/b", True),
        ("/tank/a", "/other", False),
        ("/t1", "/t2", False),
        ("/mnt/nfs", "/srv/archive", False),
        ("/mnt/nfs/bound", "/srv", True),
    ],
)
def test_what_is_lost_together(one: str, other: str, *, together: bool) -> None:
    """One device, whatever the numbers of the file systems say."""
    left = Device(1, *mounted(MOUNTINFO, one))
    right = Device(2, *mounted(MOUNTINFO, other))
    assert lost_together(left, right) is together
    assert lost_together(right, left) is together
    assert lost_together(left, right._replace(number=1))


def test_each_part_of_the_data_directory_counts() -> None:
    """WAL on the archive's volume is lost with the archive."""
    archive = Device(7, "ext4", "/dev/vdc")
    own = {"/pg": Device(1, "ext4", "/dev/vda1"), "/pg/pg_wal": Device(7, "ext4", "/dev/vdc")}
    assert shared(archive, own) == "/pg/pg_wal"
    assert shared(archive, {"/pg": own["/pg"]}) == ""
    assert device("/").number
