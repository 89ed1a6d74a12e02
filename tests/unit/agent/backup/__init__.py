"""Tests of walsup.agent.backup."""
