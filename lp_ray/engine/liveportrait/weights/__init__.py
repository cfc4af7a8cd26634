"""The weights of LivePortrait's networks: from a store or seeded, checked, in memory."""
