"""Programs that run: walsup, PostgreSQL's tools, this machine, and waiting for them."""
