"""An office: webhooks over a studio's database, whose clock a test can move."""

from collections import Counter
from typing import Any

from sqlalchemy import Row, select
from typing_extensions import override

from gen_video.accounts.models import Caller
from gen_video.egress.exchange import Posted
from gen_video.egress.fetcher import UrlRefusedError
from gen_video.egress.post import Headers, Poster
from gen_video.egress.targets import Target
from gen_video.webhooks.desk import DeliveryDesk, Settled
from gen_video.webhooks.lanes import IN_FLIGHT_PER_LANE
from gen_video.webhooks.models import Delivery, Endpoint, EventType, Outcome, Parcel, Receipt
from gen_video.webhooks.service import WebhookService
from gen_video.webhooks.signing import Signer
from gen_video.webhooks.tables import deliveries, delivery_attempts, events, webhook_endpoints
from tests.generation.studio import WEBHOOK_RULES, Studio

URL = "https://example.com/hook"
OK = Outcome(status_code=200, seconds=0.25)
ERROR = Outcome(status_code=500, seconds=0.5)
COURIER = "courier-1"

AnyRow = Row[*tuple[Any, ...]]


class DeafPoster(Poster):
    """Reaches nobody; knows which names lead into private networks.

    Attributes:
        private: Those names.
    """

    def __init__(self) -> None:
        self.private: set[str] = set()

    @override
    def post(self, target: Target, body: bytes, headers: Headers) -> Posted:
        raise AssertionError("nothing is sent in these tests")

    @override
    def look_up(self, target: Target) -> None:
        if target.host in self.private:
            raise UrlRefusedError(reason="private", reason_zh="内网")


class Office:
    """Webhooks as their owners and as couriers use them."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.database = studio.database
        self.desk = DeliveryDesk(self.database, jitter=lambda: 0.0)
        self.poster = DeafPoster()
        self.signer = Signer(b"pepper")
        self.webhooks = WebhookService(
            database=self.database,
            accounts=studio.accounts,
            signer=self.signer,
            rules=WEBHOOK_RULES,
            poster=self.poster,
        )

    def endpoint(
        self, caller: Caller, url: str = URL, *, events: tuple[EventType, ...] | None = None
    ) -> Endpoint:
        """Add an endpoint."""
        return self.webhooks.create(caller, url=url, events=events).endpoint

    def claim(self, *, owner: str = COURIER) -> list[Parcel]:
        """Claim all that a courier would at once, of every lane."""
        wanted = {lane.name: IN_FLIGHT_PER_LANE for lane in self.desk.look().lanes}
        return self.desk.claim(wanted, owner=owner) if wanted else []

    def settle(self, outcome: Outcome, *parcels: Parcel) -> list[Settled]:
        """Let the same come of some parcels."""
        return self.desk.settle([Receipt(parcel=parcel, outcome=outcome) for parcel in parcels])

    def send_all(self, outcome: Outcome) -> int:
        """Claim and settle until nothing is due; return how many."""
        count = 0
        while parcels := self.claim():
            self.settle(outcome, *parcels)
            count += len(parcels)
        return count

    def deliveries_of(self, caller: Caller, endpoint: Endpoint) -> tuple[Delivery, ...]:
        return self.webhooks.list_deliveries(caller, endpoint.id, limit=100).deliveries

    def event_rows(self) -> list[AnyRow]:
        """Return every event, the oldest first."""
        statement = select(events).order_by(events.c.created_at, events.c.id)
        return self.database.read(lambda connection: list(connection.execute(statement)))

    def delivery_rows(self) -> list[AnyRow]:
        """Return every delivery."""
        statement = select(deliveries).order_by(deliveries.c.created_at, deliveries.c.id)
        return self.database.read(lambda connection: list(connection.execute(statement)))

    def count_rows(self) -> dict[str, int]:
        """Return how many rows the tables have."""
        tables = (events, deliveries, delivery_attempts, webhook_endpoints)

        def work(connection: Any) -> dict[str, int]:  # noqa: ANN401 - a connection
            return {table.name: len(connection.execute(select(table)).all()) for table in tables}

        return self.database.read(work)

    def states(self) -> Counter[str]:
        """Return how many deliveries are in each state."""
        return Counter(row.state for row in self.delivery_rows())
