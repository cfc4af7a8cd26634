"""What runs the stages: the declared graphs, the executors (Ray, this process), pools, finishers, and restarts."""
