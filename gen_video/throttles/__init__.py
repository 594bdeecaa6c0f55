"""Rate limits: how many requests a minute, counted in memory, in Redis or in the database."""
