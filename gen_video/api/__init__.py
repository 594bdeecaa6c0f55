"""The HTTP API: translates between the wire and the services, decides nothing."""
