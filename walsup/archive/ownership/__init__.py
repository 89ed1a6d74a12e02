"""Who may write into an archive: the lease, the claim, and what decides about them."""
