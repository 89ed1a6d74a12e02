"""Tablespaces: their places, their sizes, and the WAL that creates them."""
