"""Tests of walsup.boot.existing_cluster."""
