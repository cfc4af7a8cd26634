"""Fill a weight store: download, import and convert the published files."""
