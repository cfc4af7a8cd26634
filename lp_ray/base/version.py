"""The package's version: in results, manifests' checks and `--version`."""

__version__ = "0.2.0"
