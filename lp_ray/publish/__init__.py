"""Filling a weight store: download, import and conversion of the published files."""
