"""Tests of walsup.datadir."""
