"""Model files: weight stores, their locks, and cached copies on this machine. Builds no networks."""
