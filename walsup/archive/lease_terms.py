"""The lease's terms, in leases (rule one-owner). Pure, and light: every start reads them.

A holder renews the owner object once a lease; what it has not renewed for HOLDER_LEASES it no
longer believes to hold, and no other takes it before it has been unchanged for RIVAL_LEASES.
What lies between is the time that a push of the holder may still take.
"""

DEFAULT_LEASE_S = 15.0
HOLDER_LEASES = 2.4
RIVAL_LEASES = 4.0
# A holder that cannot renew may write while its standbys acknowledge it; a standby that is to be
# promoted has seen no WAL for so long.
STREAM_LEASES = 2.6


def longest_push_s(lease_s: float) -> float:
    """How long a push may take that began when the lease was about to end."""
    return (RIVAL_LEASES - HOLDER_LEASES) * lease_s
