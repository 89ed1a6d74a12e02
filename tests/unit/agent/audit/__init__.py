"""Tests of walsup.agent.audit."""
