"""The reckoning after a run: every promise is compared with what is there."""

import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg

from tests.cluster.client import PATIENCE_SECONDS
from tests.cluster.journal import TERMINAL, Journal, Request
from tests.cluster.nodes import Cluster, Node
from tests.cluster.programs import wait_until

PAGE = 100
MAX_SHOWN = 8
SAME = ("prompt", "width", "height", "num_inference_steps", "seed", "n", "output_format")
EXPECTED_ERRORS = (
    "job_left_to_sweeper",
    # A web node that starts while the database is away ends, and is started again.
    "Application startup failed",
    "DatabaseUnavailableError",
)
"""Words of events that an outage causes at the level of errors; every other one is a finding."""

AnyJob = dict[str, Any]


@dataclass(kw_only=True)
class Zombie:
    """An attempt whose worker slept beyond its lease."""

    job_id: str
    fence: int


@dataclass(kw_only=True)
class Reckoning:
    """What a run did and what was wrong afterwards."""

    faults: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    zombies: list[Zombie] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def expect(self, finding: str, *, holds: bool) -> None:
        """Note a finding unless something holds that must."""
        if not holds:
            self.findings.append(finding)

    def lines(self) -> list[str]:
        """Return the summary for people."""
        return [
            f"seconds {self.seconds}  faults {dict(sorted(self.faults.items()))}",
            f"jobs {dict(sorted(self.ends.items()))}",
            *(f"{name}: {count}" for name, count in sorted(self.figures.items())),
            f"lies {len(self.lies)}",
            *(f"✗ {text}" for text in (self.lies + self.findings)[: 5 * MAX_SHOWN]),
            "promises broken" if self.lies or self.findings else "every promise kept",
        ]


class Reader:
    """Reads what accounts see, from one node after the other."""

    def __init__(self, urls: Sequence[str], keys: Sequence[str]) -> None:
        self._urls = list(urls)
        self._keys = list(keys)
        self._http = httpx.Client(timeout=30, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, *, account: int, node: int = 0, **params: str | int) -> httpx.Response:
        """Return an answer; a node that does not answer is asked again."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        headers = {"X-API-Key": self._keys[account]}
        while True:
            url = self._urls[node % len(self._urls)] + path
            is_last = time.monotonic() > give_up_at
            try:
                answer = self._http.get(url, params=params or None, headers=headers)
            except httpx.TransportError:
                if is_last:
                    raise
            else:
                if answer.status_code != 503 or is_last:
                    return answer
            time.sleep(0.2)

    def count_open(self) -> int:
        """Return how many accounts have jobs that are not over."""
        return sum(
            bool(self.get("/api/v1/jobs", account=account, status=status, limit=1).json()["data"])
            for account in range(len(self._keys))
            for status in ("queued", "running")
        )

    def list_jobs(self) -> dict[str, AnyJob]:
        """Return every job of every account."""
        jobs: dict[str, AnyJob] = {}
        for account in range(len(self._keys)):
            after: dict[str, str] = {}
            while True:
                page = self.get(
                    "/api/v1/jobs", account=account, node=account, limit=PAGE, **after
                ).json()
                jobs |= {job["id"]: job | {"account": account} for job in page["data"]}
                if not page["has_more"]:
                    break
                after = {"after": page["last_id"]}
        return jobs


def reckon(cluster: Cluster, keys: Sequence[str], journal: Journal, reckoning: Reckoning) -> None:
    """Wait until every job is over, then check every promise; the cluster is stopped at the end."""
    cluster.wait_until_ready()
    reader = Reader([node.url for node in cluster.webs], keys)
    try:
        wait_until(
            lambda: reader.count_open() == 0,
            seconds=PATIENCE_SECONDS,
            what="every job is over",
            pause_seconds=0.5,
        )
        jobs = reader.list_jobs()
        reckoning.ends = Counter(job["status"] for job in jobs.values())
        _check_promises(journal, jobs, reckoning)
        _check_files(reader, len(cluster.webs), jobs, reckoning)
        _check_quotas(reader, len(keys), jobs, reckoning)
    finally:
        reader.close()
    _check_zombies(cluster, reckoning)
    audit = cluster.run_command("audit")
    reckoning.expect(f"audit: {audit.stdout}{audit.stderr}", holds=audit.returncode == 0)
    _check_goodbye(cluster, reckoning)
    _check_logs(cluster, reckoning)
    reckoning.lies = journal.lies
    reckoning.figures += journal.figures
    reckoning.figures["requests accepted"] = len(journal.accepted)
    reckoning.figures["slowest answer in ms"] = round(1000 * journal.slowest_answer_seconds)


def _check_promises(journal: Journal, jobs: dict[str, AnyJob], reckoning: Reckoning) -> None:
    by_request: dict[str, list[AnyJob]] = defaultdict(list)
    for job in jobs.values():
        by_request[job["metadata"].get("request", "")].append(job)
    for key, request in journal.requests.items():
        problem = _find_problem(journal, request, by_request.pop(key, []))
        reckoning.expect(f"{request.kind} {key}: {problem}", holds=problem is None)
    stray = [job["id"] for found in by_request.values() for job in found]
    reckoning.expect(f"jobs that nobody asked for: {stray[:MAX_SHOWN]}", holds=not stray)
    for job_id, ending in journal.endings.items():
        status = jobs[job_id]["status"] if job_id in jobs else "missing"
        reckoning.expect(
            f"{job_id} was {ending.status}, is {status}", holds=status == ending.status
        )
    for job_id in journal.canceled & jobs.keys():
        status = jobs[job_id]["status"]
        reckoning.expect(
            f"{job_id} was canceled, and {status}", holds=status in {"canceled", "failed"}
        )


def _find_problem(journal: Journal, request: Request, jobs: list[AnyJob]) -> str | None:
    """Say what is wrong with the jobs of a request; None when nothing is."""
    if len(jobs) > 1:
        return f"became {len(jobs)} jobs"
    if request.key in journal.refused:
        return f"was refused with {journal.refused[request.key]} and is there" if jobs else None
    if not jobs:
        return None if request.key in journal.unknown else "was accepted and is missing"
    return _compare(journal, request, jobs[0])


def _compare(journal: Journal, request: Request, job: AnyJob) -> str | None:
    """Say how a job differs from what was accepted; None when it does not."""
    if job["id"] != journal.accepted.get(request.key, job["id"]):
        return f"was accepted as {journal.accepted[request.key]}, is {job['id']}"
    if job["status"] not in TERMINAL:
        return f"is still {job['status']}"
    changed = [
        name for name in SAME if name in request.body and job["input"][name] != request.body[name]
    ]
    return f"changed its {changed}" if changed or job["kind"] != request.kind else None


def _check_files(reader: Reader, nodes: int, jobs: dict[str, AnyJob], reckoning: Reckoning) -> None:
    for turn, job in enumerate(jobs.values()):
        outputs = job["outputs"]
        if job["status"] != "succeeded":
            reckoning.expect(f"{job['id']} {job['status']} with files", holds=not outputs)
            continue
        wanted, cost = job["input"]["n"], job["cost"]["units"]
        # A job that crashes its engine to the last is charged for what it delivered before.
        is_complete = len(outputs) == wanted or "crash=" in job["input"]["prompt"]
        reckoning.expect(
            f"{job['id']} has {len(outputs)} files, cost {cost}, wanted {wanted}",
            holds=is_complete and len(outputs) == cost,
        )
        for output in outputs:
            answer = reader.get(output["url"], account=job["account"], node=turn % nodes)
            digest = hashlib.sha256(answer.content).hexdigest()
            is_whole = answer.is_success and digest == output["sha256"]
            reckoning.expect(f"{output['url']} is damaged", holds=is_whole)
            reckoning.figures["files whole at the end"] += is_whole


def _check_quotas(
    reader: Reader, accounts: int, jobs: dict[str, AnyJob], reckoning: Reckoning
) -> None:
    for account in range(accounts):
        quota = reader.get("/api/v1/quota", account=account).json()["quota"]
        for kind in ("image", "video"):
            delivered = sum(
                job["cost"]["units"]
                for job in jobs.values()
                if job["account"] == account and job["kind"] == kind
                if job["status"] == "succeeded"
            )
            said = quota[f"{kind}s"]
            reckoning.expect(
                f"account {account}, {kind}s: delivered {delivered}, quota {said}",
                holds=said["used"] == delivered and said["reserved"] == 0,
            )


def _check_zombies(cluster: Cluster, reckoning: Reckoning) -> None:
    with psycopg.connect(cluster.database.address) as connection:
        for zombie in reckoning.zombies:
            row = connection.execute(
                "SELECT state, fence, committed_fence FROM jobs WHERE id = %s", (zombie.job_id,)
            ).fetchone()
            files = connection.execute(
                "SELECT count(*) FROM artifacts"
                " WHERE job_id = %s AND fence = %s AND state = 'live'",
                (zombie.job_id, zombie.fence),
            ).fetchone()
            is_dead = row is not None and row[1] > zombie.fence and row[2] != zombie.fence
            reckoning.expect(f"a zombie finished {zombie}: {row}", holds=is_dead)
            reckoning.expect(f"files of {zombie}: {files}", holds=files == (0,))


def _check_goodbye(cluster: Cluster, reckoning: Reckoning) -> None:
    codes = cluster.close()
    reckoning.expect(f"exit codes {codes}", holds=set(codes.values()) == {0})
    left = cluster.left_behind()
    reckoning.expect(f"left behind: {left}", holds=not left)


def _check_logs(cluster: Cluster, reckoning: Reckoning) -> None:
    for node in cluster.nodes:
        for line in node.read_log().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                reckoning.figures["log lines that are no JSON"] += 1
                continue
            reckoning.figures["zombies turned away"] += entry.get("outcome") == "lease_lost"
            if entry.get("level") in {"error", "critical"}:
                _check_error(node, entry, reckoning)


def _check_error(node: Node, entry: dict[str, Any], reckoning: Reckoning) -> None:
    event = str(entry["event"])
    if any(word in event for word in EXPECTED_ERRORS):
        reckoning.figures["errors in logs, expected in outages"] += 1
        return
    last_line = str(entry.get("exception", "")).strip().rpartition("\n")[2]
    reckoning.findings.append(f"log of {node.name}: {event[:200]} {last_line[:300]}")
