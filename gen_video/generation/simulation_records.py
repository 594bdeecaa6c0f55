"""What a simulation writes down while it runs, in arrays: a million jobs are ordinary."""

from array import array
from dataclasses import dataclass

from gen_video.generation.simulated_queues import Start

SAMPLES = 200
FIRST_PERIOD_US = 1_000_000
NEVER = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The queues at one moment: jobs that wait, and their predicted device time."""

    at_us: int
    jobs: int
    predicted_us: int


class Intervals:
    """Spans of time of numbered accounts."""

    def __init__(self) -> None:
        self.accounts = array("i")
        self.begins = array("q")
        self.ends = array("q")

    def add(self, account: int, begin: int, end: int) -> None:
        """Add one span."""
        self.accounts.append(account)
        self.begins.append(begin)
        self.ends.append(end)


class Record:
    """Everything that happened, in microseconds after the beginning.

    Attributes:
        arrivals: By job.
        starts: First start by job, `NEVER` where there was none.
        ends: End by job, `NEVER` for a canceled one.
        order: Every start in order, with its tag.
        services: When devices worked for which account.
        backlogs: When which account had jobs that wait.
        samples: The queues over time, at most `SAMPLES` of them.
    """

    def __init__(self, *, jobs: int, slots: int) -> None:
        self.slots = slots
        self.arrivals = array("q", [NEVER]) * jobs
        self.starts = array("q", [NEVER]) * jobs
        self.ends = array("q", [NEVER]) * jobs
        self.order: list[Start] = []
        self.services = Intervals()
        self.backlogs = Intervals()
        self.account_numbers: dict[str, int] = {}
        self.samples: list[Sample] = []
        self.loads = 0
        self.kills = 0
        self.now = 0
        self._period = FIRST_PERIOD_US
        self._next_sample = 0
        self._waiting_jobs = 0
        self._waiting_us = 0
        self._waiting_of: dict[int, int] = {}
        self._since: dict[int, int] = {}

    def move_to(self, now: int) -> None:
        """Let time pass, and look at the queues now and then."""
        self.now = now
        if now < self._next_sample:
            return
        self.samples.append(
            Sample(at_us=now, jobs=self._waiting_jobs, predicted_us=self._waiting_us)
        )
        if len(self.samples) >= SAMPLES:
            self.samples = self.samples[::2]
            self._period *= 2
        self._next_sample = now + self._period

    def arrived(self, job: int, now: int) -> None:
        """Note an arrival."""
        self.arrivals[job] = now

    def started(self, job: int, now: int, start: Start) -> None:
        """Note a start."""
        self.order.append(start)
        if self.starts[job] == NEVER:
            self.starts[job] = now

    def ended(self, job: int, now: int) -> None:
        """Note a success."""
        self.ends[job] = now

    def canceled(self, job: int) -> None:
        """Note that a job counts no more."""
        self.starts[job] = NEVER

    def served(self, account_id: str, begin: int, end: int) -> None:
        """Note that a device worked for an account."""
        self.services.add(self._number(account_id), begin, end)

    def queued(self, account_id: str, predicted_us: int, now: int) -> None:
        """Note that a job waits."""
        account = self._number(account_id)
        self._waiting_jobs += 1
        self._waiting_us += predicted_us
        waiting = self._waiting_of.get(account, 0)
        if not waiting:
            self._since[account] = now
        self._waiting_of[account] = waiting + 1

    def unqueued(self, account_id: str, predicted_us: int, now: int) -> None:
        """Note that a job waits no more."""
        account = self._number(account_id)
        self._waiting_jobs -= 1
        self._waiting_us -= predicted_us
        self._waiting_of[account] -= 1
        if not self._waiting_of[account]:
            self.backlogs.add(account, self._since.pop(account), now)

    def _number(self, account_id: str) -> int:
        return self.account_numbers.setdefault(account_id, len(self.account_numbers))
