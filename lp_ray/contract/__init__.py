"""The contract with users: columns of manifests and results, options of a pair, formats, and face rules."""
