"""One file for each kind of plugin: the plugin, and a whole job on Ray that uses it. The package knows none."""
