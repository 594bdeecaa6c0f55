"""`python -m gen_video`: the command line, and the processes that the supervisor starts.

The long-running processes have their entry here because they are doors of their own: the
command line knows neither the web nor the worker.
"""

import argparse
import signal
import socket
import sys
from collections.abc import Sequence

from gen_video.cli.main import main as run_command
from gen_video.cli.main import report_errors


def run_web(arguments: Sequence[str]) -> int:
    """Serve HTTP until told to stop, on an inherited socket or on an address of its own."""
    import uvicorn  # noqa: PLC0415 - each process imports what it needs

    from gen_video.api.protocol import GuardedProtocol  # noqa: PLC0415
    from gen_video.cli.configuration import load_settings  # noqa: PLC0415
    from gen_video.cli.lifeline import hold_lifeline  # noqa: PLC0415

    settings = load_settings()
    parser = argparse.ArgumentParser(prog="gen-video web")
    parser.add_argument("--host", default=settings.host)
    parser.add_argument("--port", type=int, default=settings.port)
    parser.add_argument("--socket", type=int, help="descriptor of a listening socket")
    parser.add_argument("--lifeline", type=int, help="descriptor of the supervisor's pipe")
    options = parser.parse_args(arguments)
    hold_lifeline(options.lifeline)
    config = uvicorn.Config(
        "gen_video.asgi:create_asgi_app",
        factory=True,
        http=GuardedProtocol,
        ws="none",
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
    )
    # The server finishes what it has begun and then sends itself the signal again.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    sockets = None if options.socket is None else [socket.socket(fileno=options.socket)]
    server = uvicorn.Server(config)
    server.run(sockets=sockets)
    return 0 if server.started else 1


def run_worker(arguments: Sequence[str]) -> int:
    """Work on jobs until told to stop."""
    from gen_video.cli.configuration import load_settings  # noqa: PLC0415
    from gen_video.cli.lifeline import hold_lifeline  # noqa: PLC0415
    from gen_video.worker import main as worker  # noqa: PLC0415

    settings = load_settings()
    parser = argparse.ArgumentParser(prog="gen-video worker")
    parser.add_argument(
        "--pool",
        action="append",
        help="serve this pool of models only; may be repeated / 只服务该模型池，可重复",
    )
    parser.add_argument(
        "--tier",
        action="append",
        help="take jobs of this tier of plans only; may be repeated / 只处理该套餐级别，可重复",
    )
    parser.add_argument(
        "--concurrency",
        type=_small_count,
        default=settings.worker_concurrency,
        metavar="N",
        help="engines of this worker, 1 to 64 / 引擎数，1 至 64",
    )
    parser.add_argument("--lifeline", type=int, help="descriptor of the supervisor's pipe")
    options = parser.parse_args(arguments)
    hold_lifeline(options.lifeline)
    chosen = {
        "worker_pools": tuple(options.pool or settings.worker_pools),
        "worker_tiers": tuple(options.tier or settings.worker_tiers),
        "worker_concurrency": options.concurrency,
    }
    return worker.run_worker(settings.model_copy(update=chosen))


def run_courier(arguments: Sequence[str]) -> int:
    """Send webhooks until told to stop."""
    from gen_video.cli.configuration import load_settings  # noqa: PLC0415
    from gen_video.cli.lifeline import hold_lifeline  # noqa: PLC0415
    from gen_video.worker import courier  # noqa: PLC0415

    settings = load_settings()
    parser = argparse.ArgumentParser(prog="gen-video courier")
    parser.add_argument(
        "--senders",
        type=_small_count,
        default=settings.webhook_senders or courier.DEFAULT_SENDERS,
        metavar="N",
        help="webhooks that are sent at once, 1 to 64 / 同时发送的数量，1 至 64",
    )
    parser.add_argument("--lifeline", type=int, help="descriptor of the supervisor's pipe")
    options = parser.parse_args(arguments)
    hold_lifeline(options.lifeline)
    return courier.run_courier(settings.model_copy(update={"webhook_senders": options.senders}))


def _small_count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= MOST:
        raise ValueError(text)
    return count


MOST = 64
PROCESSES = {"web": run_web, "worker": run_worker, "courier": run_courier}


def main() -> int:
    """Run what the first argument names; return the exit code."""
    process = PROCESSES.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if process is None:
        return run_command()
    with report_errors():
        return process(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
