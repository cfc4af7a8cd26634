"""What users write and read: columns of manifests and results, options of a pair, names of kinds and rules."""
