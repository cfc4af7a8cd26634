"""Runs the stages: the declared graphs, two executors (Ray and this process), pools of actors, and finishers."""
