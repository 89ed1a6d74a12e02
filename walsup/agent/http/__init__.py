"""Probes, metrics and the status: an HTTP server and what each path shows."""
