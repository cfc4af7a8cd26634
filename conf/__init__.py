"""Hydra configuration of the jobs: documented defaults, one yaml per job, groups for what can be exchanged."""
