"""The courier in its process: beside a worker's lanes, or left to another process."""

from dataclasses import replace
from typing import cast

import pytest

from gen_video.accounts.models import Caller
from gen_video.egress.post import EgressPoster
from gen_video.egress.way import Way
from gen_video.engines.host import EngineHost
from gen_video.webhooks.urls import UrlRules
from gen_video.wiring import Services
from gen_video.worker.courier import build_courier
from gen_video.worker.main import Worker
from tests.generation.fakes import FakeEngine, wait_until
from tests.generation.studio import LAKE, Studio
from tests.webhooks.receivers import Receiver, receiving
from tests.worker.test_main import meanwhile

pytestmark = pytest.mark.usefixtures("signals")

ANY = UrlRules(allow_private=True)


def open_to_loopback(services: Services, *, senders: int) -> Services:
    return replace(
        services,
        settings=services.settings.model_copy(update={"webhook_senders": senders}),
        courier_kit=replace(
            services.courier_kit, poster=EgressPoster(Way(allow_private=True)), rules=ANY
        ),
    )


def run(services: Services, studio: Studio, caller: Caller, receiver: Receiver) -> None:
    """Run a worker until a job has ended, and a while longer if it tells the receiver."""
    engine = cast("EngineHost", FakeEngine())
    studio.jobs._submitter._webhook_rules = ANY
    wanted = replace(LAKE, webhook_url=receiver.url("/own"))

    def story() -> None:
        job = studio.submit(caller, wanted)
        wait_until(lambda: studio.jobs.get(caller, job.id).state.is_terminal)
        if services.settings.webhook_senders:
            wait_until(lambda: bool(receiver.received))

    worker = Worker(services, [engine])
    with meanwhile(services, story):
        assert worker.run() == 0


def test_a_worker_sends_what_its_jobs_tell(
    services: Services, studio: Studio, caller: Caller
) -> None:
    with receiving() as receiver:
        run(open_to_loopback(services, senders=2), studio, caller, receiver)

    assert [received.path for received in receiver.received] == ["/own"]
    assert studio.events.read_figures().pending == 0


def test_a_worker_that_is_told_to_send_nothing_leaves_it_to_others(
    services: Services, studio: Studio, caller: Caller
) -> None:
    with receiving() as receiver:
        run(open_to_loopback(services, senders=0), studio, caller, receiver)

    assert receiver.received == []
    assert studio.events.read_figures().pending == 1


def test_an_operator_without_egress_has_no_courier(services: Services) -> None:
    kit = replace(services.courier_kit, rules=UrlRules(is_open=False))

    assert build_courier(replace(services, courier_kit=kit), "worker") is None
