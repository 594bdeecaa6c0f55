"""The seed's own face: every name that existing clients depend on."""

PREFIX = "/api/v1"
