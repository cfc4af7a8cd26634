"""Work on untrusted input in processes that may die: the process is lost, the job is not."""
