"""X-Pose: finds the faces of animals and their landmarks (9 or 68 points) in plain PyTorch."""
