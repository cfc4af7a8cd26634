"""lp_ray on Kubernetes: one set of values, rendered to manifests and checked. Used from a checkout, not installed."""
