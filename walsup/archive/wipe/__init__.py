"""Deleting a whole archive, and nothing else: no other package deletes what is archived.

Rule wipe.
"""
