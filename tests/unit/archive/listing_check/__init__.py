"""Tests of walsup.archive.listing_check."""
