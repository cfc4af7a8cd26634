"""The package's version, which every result row states."""

__version__ = "0.2.0"
