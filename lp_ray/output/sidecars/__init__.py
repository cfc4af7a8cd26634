"""Sidecars: files beside a pair's result, written from what the engine says of each frame. Each is one file."""
