"""P1, P9 and P12: a picture over HTTP against the same picture from a plain script."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.figures import Figure, milliseconds, percentile, ratio_of_medians
from benchmarks.ports import find_free_port
from benchmarks.service import (
    PROJECT_FOLDER,
    Target,
    prepare,
    running,
    start,
    wait_for,
)

MODEL = PROJECT_FOLDER / "models" / "mini"
PROMPT = "a lake at sunset"
GENERATE = "/api/v1/images/generate"
GUIDANCE = 4.0
SIDE = 1024
STEPS = 20
ROUNDS = 9
WARM_UP = 2
NULL_JOBS = 300
STARTS = 5


class RawScript:
    """A running plain script."""

    def __init__(self, folder: Path) -> None:
        arguments = [str(MODEL), PROMPT, str(SIDE), str(STEPS), str(GUIDANCE), str(folder)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.raw_script", *arguments],
            cwd=PROJECT_FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._read()

    def draw(self, seed: int) -> float:
        """Draw and save one picture; return the seconds."""
        if self._process.stdin is None:
            raise RuntimeError("the script has no input")
        print(seed, file=self._process.stdin, flush=True)
        return float(self._read())

    def close(self) -> None:
        """End the script."""
        self._process.terminate()
        self._process.wait()

    def _read(self) -> str:
        if self._process.stdout is None:
            raise RuntimeError("the script has no output")
        return self._process.stdout.readline()


def measure_throughput(folder: Path) -> list[Figure]:
    """P1: pictures one after the other over HTTP, against the plain script, turn by turn."""
    with running(folder, "serve") as target, _raw(folder) as raw, _client(target) as client:
        ours, theirs = [], []
        for seed in range(WARM_UP + ROUNDS):
            mine, plain = _draw(client, seed), raw.draw(seed)
            if seed >= WARM_UP:
                ours.append(mine)
                theirs.append(plain)
    middle, low, high = ratio_of_medians(theirs, ours)
    details = {
        "ours_seconds": round(statistics.median(ours), 3),
        "raw_seconds": round(statistics.median(theirs), 3),
    }
    name = f"throughput ÷ plain diffusers script ({SIDE}², {STEPS} steps)"
    return [
        Figure(
            goal="P1",
            name=name,
            value=round(middle, 3),
            unit="×",
            must="≥ 0.98",
            low=round(low, 3),
            high=round(high, 3),
            details=details,
        )
    ]


def measure_added_latency(folder: Path) -> list[Figure]:
    """P9: what a synchronous call takes when the engine takes no time."""
    settings = {
        "ENABLE_TEST_MODEL": "1",
        "DEFAULT_IMAGE_MODEL": "test-double",
        "PRELOAD_MODELS": "",
    }
    body = {"prompt": "nothing", "width": 64, "height": 64, "num_inference_steps": 1}
    with running(folder, "serve", settings=settings) as target, _client(target) as client:
        spent = []
        for number in range(WARM_UP + NULL_JOBS):
            before = time.perf_counter()
            client.post(GENERATE, json=body).raise_for_status()
            if number >= WARM_UP:
                spent.append(time.perf_counter() - before)
    return [
        Figure(
            goal="P9",
            name=f"added latency, {label}",
            value=milliseconds(value),
            unit="ms",
            must=must,
        )
        for label, value, must in (
            ("p50", percentile(spent, 0.5), "≤ 5"),
            ("p99", percentile(spent, 0.99), "≤ 15"),
        )
    ]


def measure_start(folder: Path) -> list[Figure]:
    """P12: from nothing to HTTP, and from nothing to the first picture, page cache warm."""
    ready, first, plain = [], [], []
    for number in range(STARTS):
        place = folder / str(number)
        place.mkdir()
        key = prepare(place)
        ready.append(_time_to_ready(place))
        first.append(_time_to_first_picture(place, key))
        plain.append(_time_of_raw(place))
    middle, low, high = ratio_of_medians(first, plain)
    return [
        Figure(
            goal="P12",
            name="web process start to HTTP ready",
            unit="s",
            must="≤ 1.0",
            value=round(statistics.median(ready), 2),
        ),
        Figure(
            goal="P12",
            name="service start to first picture ÷ plain script",
            unit="×",
            must="≤ 1.10",
            value=round(middle, 2),
            low=round(low, 2),
            high=round(high, 2),
            details={
                "ours_seconds": round(statistics.median(first), 2),
                "raw_seconds": round(statistics.median(plain), 2),
            },
        ),
    ]


def _time_to_ready(folder: Path) -> float:
    port = find_free_port()
    started = time.perf_counter()
    process = start(folder, "web", port=port, settings={})
    try:
        return wait_for(port, "/api/v1/health/live") - started
    finally:
        process.terminate()
        process.wait()


def _time_to_first_picture(folder: Path, key: str) -> float:
    port = find_free_port()
    started = time.perf_counter()
    process = start(folder, "serve", port=port, settings={})
    try:
        wait_for(port, "/api/v1/health/live")
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"X-API-Key": key},
            timeout=120,
            trust_env=False,
        ) as client:
            _draw(client, 1)
        return time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


def _time_of_raw(folder: Path) -> float:
    started = time.perf_counter()
    raw = RawScript(folder)
    raw.draw(1)
    elapsed = time.perf_counter() - started
    raw.close()
    return elapsed


def _draw(client: httpx.Client, seed: int) -> float:
    body = {
        "prompt": PROMPT,
        "width": SIDE,
        "height": SIDE,
        "num_inference_steps": STEPS,
        "guidance_scale": GUIDANCE,
        "seed": seed,
    }
    before = time.perf_counter()
    client.post(GENERATE, json=body).raise_for_status()
    return time.perf_counter() - before


@contextmanager
def _raw(folder: Path) -> Iterator[RawScript]:
    script = RawScript(folder)
    try:
        yield script
    finally:
        script.close()


def _client(target: Target) -> httpx.Client:
    return httpx.Client(
        base_url=target.url, headers={"X-API-Key": target.key}, timeout=120, trust_env=False
    )
