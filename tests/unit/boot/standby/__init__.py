"""Tests of walsup.boot.standby."""
