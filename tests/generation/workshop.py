"""A workshop: a studio with a runner, a scripted engine and a store that can stumble."""

from dataclasses import dataclass

from gen_video.generation.models import Artifact
from gen_video.generation.runner import JobRunner, RunReport
from tests.generation.fakes import FakeEngine, StumblingStore
from tests.generation.studio import Studio, open_studio


@dataclass(frozen=True)
class Workshop:
    """A studio with a runner, its engine and its store."""

    studio: Studio
    engine: FakeEngine
    objects: StumblingStore
    runner: JobRunner

    def run(self) -> RunReport:
        """Claim the next job and run it."""
        return self.runner.run(self.studio.claim())

    def read(self, output: Artifact) -> bytes:
        """Return the bytes of a file."""
        return b"".join(self.objects.read(output.storage_key))


def open_workshop(studio: Studio, *, attempts: int = 3) -> Workshop:
    """Return a workshop on the studio's database."""
    objects, engine = StumblingStore(), FakeEngine()
    studio = open_studio(studio.database, objects, attempts=attempts)
    runner = JobRunner(execution=studio.execution, engine=engine, objects=objects, version="9.9")
    return Workshop(studio, engine, objects, runner)
