"""Ownership of an archive: the lease, the claim, and the decisions about them."""
