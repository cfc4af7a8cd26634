"""Output formats: what a pair is written as. Each is one file; `lp_ray.contract.formats` finds them by name."""
