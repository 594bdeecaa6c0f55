"""Egress: requests to addresses that users name."""
