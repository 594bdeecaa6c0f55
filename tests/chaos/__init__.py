"""Chaos: processes are killed at random under load, and afterwards the books must balance."""
