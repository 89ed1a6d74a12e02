"""The lease's terms, in leases (rule one-owner). Pure, and small: every start imports them.

A holder renews the owner object once a lease. It counts a lease as lost HOLDER_LEASES after the
last renewal, and no other instance takes the archive before the object has been unchanged for
RIVAL_LEASES. The time in between is for a push of the holder that still runs.
"""

DEFAULT_LEASE_S = 15.0
HOLDER_LEASES = 2.4
RIVAL_LEASES = 4.0
# A holder that cannot renew may write while its standbys acknowledge it; a standby that is to be
# promoted must have received no WAL for this long.
STREAM_LEASES = 2.6


def longest_push_s(lease_s: float) -> float:
    """Return the maximum duration of a push that began when the lease was about to end."""
    return (RIVAL_LEASES - HOLDER_LEASES) * lease_s
