"""Labels: what every frame of a finished video shows, and what it was asked to show. docs/labels.md lists them."""
