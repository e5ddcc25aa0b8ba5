"""Readers and writers of every file format; each error carries `path:line`."""
