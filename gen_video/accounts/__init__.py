"""Accounts: users, their plans and their API keys."""
