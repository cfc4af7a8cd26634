"""How a command ends. Loading this loads nothing else, so that help and refusals of a name come at once."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_ERROR = 1
"""The job stopped, or met errors that no input caused. Finished results stay; run the job again."""
EXIT_REFUSED = 2
"""The job refused to start: a manifest, option, credentials or weights are wrong."""
EXIT_SOME_FAILED = 3
"""The job is complete, but some pairs have a `failed` row; or some weights could not be brought into the store."""
EXIT_INTERRUPTED = 130
"""Stopped by Ctrl-C. Run the job again to make the rest."""
EXIT_TERMINATED = 143
"""Stopped by SIGTERM (an evicted pod, a reclaimed machine). Run the job again to make the rest."""
