"""The worker: a supervisor that claims jobs and drives one engine child per device; no torch."""
