"""Plan a job on the driver before any work starts: inputs, pairs, keys, shards, and the typed work of each pair."""
