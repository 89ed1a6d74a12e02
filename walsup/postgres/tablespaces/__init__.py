"""Tablespaces: where they lie, how large they are, and where WAL creates them."""
