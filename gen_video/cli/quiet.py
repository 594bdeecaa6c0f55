"""Quiet logs for the commands that run the service's code in their own process."""

from gen_video.telemetry.logs import configure_logging


def quiet_logs() -> None:
    """Let only errors through: the commands speak for themselves."""
    configure_logging(level="ERROR", json=False, process="cli")
