"""Measure how good a finished video is: metrics as pure functions, and meters of frames. docs/metrics.md lists them."""
