"""What every room may use: errors, limits, metrics, array types. Nothing here imports another room."""
