"""Sidecars: files beside a pair's result, written from the engine's facts of each frame. Each sidecar is one module."""
