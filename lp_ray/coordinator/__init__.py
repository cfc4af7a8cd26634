"""The driver process of a job: it hands out work, collects the pieces and settles every pair."""
