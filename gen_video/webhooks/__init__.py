"""Webhooks: what happened to an account's jobs, told to the addresses that it names."""
