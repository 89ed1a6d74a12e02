"""Keys of the S3 server with docs/permissions.md's policies, whole, and with a permission less."""

import copy
import json
from typing import Any

from dev.harness.checks import documents

LEAST_PREFIX = "least"
WIPE_LOCKED = "walsup-locked"  # a bucket with object lock
# SeaweedFS 4.48 asks neither for AbortMultipartUpload nor, with a version, for DeleteObject.
WIPE_ACTIONS = (
    *("ListBucket", "ListBucketVersions", "ListBucketMultipartUploads", "GetObject", "PutObject"),
    *("DeleteObjectVersion", "GetObjectRetention"),
)


def policy(bucket: str, heading: str = "## Running") -> dict[str, Any]:
    """The policy below a heading, for one bucket and what lies below LEAST_PREFIX."""
    text = documents.below("docs/permissions.md", heading, "json")
    text = text.replace("BUCKET", bucket).replace("PREFIX", LEAST_PREFIX)
    read: dict[str, Any] = json.loads(text)
    return read


def limited_identities(bucket: str) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """SeaweedFS's policies and identities: "least", and "least-no-ACTION" for each action.

    The secret of NAME is "secret-NAME". "least-no-wal" may write, but no WAL; "least-no-parts" may
    read, but no parts of base backups. "wipe" and
    "wipe-no-N", without the action of that number, are for wiping, those of "wipe" in the bucket of
    WIPE_LOCKED too. A key that held an action's name would be cut from what is said of it.
    """
    whole = policy(bucket)
    policies = {"least": whole}
    for action in ("ListBucket", "GetObject", "PutObject"):
        policies[f"least-no-{action}"] = _without(whole, f"s3:{action}")
    denied = f"arn:aws:s3:::{bucket}/{LEAST_PREFIX}/*/wal_005/*"
    no_wal = copy.deepcopy(whole)
    no_wal["Statement"].append({"Effect": "Deny", "Action": "s3:PutObject", "Resource": denied})
    policies["least-no-wal"] = no_wal
    denied = f"arn:aws:s3:::{bucket}/{LEAST_PREFIX}/*/tar_partitions/*"
    no_parts = copy.deepcopy(whole)
    no_parts["Statement"].append({"Effect": "Deny", "Action": "s3:GetObject", "Resource": denied})
    policies["least-no-parts"] = no_parts
    wiping = policy(bucket, "## Wiping")
    wiping["Statement"] += policy(WIPE_LOCKED, "## Wiping")["Statement"]
    policies["wipe"] = wiping
    for number, action in enumerate(WIPE_ACTIONS):
        policies[f"wipe-no-{number}"] = _without(wiping, f"s3:{action}")
    return (
        [{"name": name, "content": json.dumps(policy)} for name, policy in policies.items()],
        [
            {
                "name": name,
                "credentials": [{"accessKey": name, "secretKey": f"secret-{name}"}],
                "policyNames": [name],
            }
            for name in policies
        ],
    )


def _without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    less = copy.deepcopy(policy)
    for statement in less["Statement"]:
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        statement["Action"] = [one for one in actions if one != action]
    less["Statement"] = [statement for statement in less["Statement"] if statement["Action"]]
    return less
