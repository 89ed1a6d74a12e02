"""Tests of walsup.boot.restore."""
