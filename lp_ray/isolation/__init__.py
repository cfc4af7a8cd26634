"""Handle untrusted input in child processes: if one dies, the job goes on."""
