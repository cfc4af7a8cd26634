"""What runs in the one process that started the job: it hands work out and gathers what comes back."""
