"""Storage: where finished files live."""
