"""PostgreSQL's processes as /proc shows them."""
