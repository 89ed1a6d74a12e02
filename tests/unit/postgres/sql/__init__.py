"""Tests of walsup.postgres.sql."""
