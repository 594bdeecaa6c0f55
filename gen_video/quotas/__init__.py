"""Quotas: how many pictures and videos an account or a key may still make today."""
