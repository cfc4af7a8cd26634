"""Measure a pair's finished video: its labels, and its metrics. Part of the finalize task; docs/labels.md."""
