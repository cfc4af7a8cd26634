"""What the driver works out before any work: inputs, pairs, keys, shards, and the typed work of each pair."""
