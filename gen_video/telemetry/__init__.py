"""Telemetry: structured logs and Prometheus metrics, across the processes of one machine."""
