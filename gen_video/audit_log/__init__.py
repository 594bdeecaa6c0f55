"""The audit log: who did what to users, plans, keys, workers and models, and when."""
