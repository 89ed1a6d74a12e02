"""Tests of walsup.boot.new_cluster."""
