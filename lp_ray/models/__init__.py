"""Model files: a weight store, its lock, and the machine's own copies. No network is built here."""
