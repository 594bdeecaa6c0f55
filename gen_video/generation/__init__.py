"""Generation: a request becomes a job becomes files."""
