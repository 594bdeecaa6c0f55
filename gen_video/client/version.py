"""The version of the client; it is released together with the service."""

VERSION = "0.1.0"
