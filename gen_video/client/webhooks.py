"""`client.webhooks` and `client.events`, blocking and not."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Unpack

from gen_video.client import subscriptions
from gen_video.client.connection import Call, Connection
from gen_video.client.drivers import AsyncDriver, Driver, T
from gen_video.client.exchange import Steps, perform
from gen_video.client.happenings import Delivery, Event, Secret, Webhook
from gen_video.client.jobs import list_pages
from gen_video.client.signatures import verify_webhook
from gen_video.client.subscriptions import WebhookChanges


class _Lists:
    """The lists of this file as steps."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def webhooks(self, limit: int | None) -> Steps[Webhook]:
        return list_pages(self.connection, Webhook, subscriptions.WEBHOOKS, filters={}, limit=limit)

    def deliveries(
        self, webhook_id: str, *, status: str | None, limit: int | None
    ) -> Steps[Delivery]:
        path = subscriptions.deliveries_path(webhook_id)
        return list_pages(self.connection, Delivery, path, filters={"status": status}, limit=limit)

    def events(self, *, kind: str | None, limit: int | None) -> Steps[Event]:
        filters = {"type": kind}
        return list_pages(
            self.connection, Event, subscriptions.EVENTS, filters=filters, limit=limit
        )


class Webhooks:
    """Addresses that the service sends events to.

    Example:
        >>> hook = client.webhooks.create("https://example.org/hook", events=["job.succeeded"])
        >>> client.webhooks.verify(body, headers, hook.secret).type
        'job.succeeded'
    """

    verify = staticmethod(verify_webhook)

    def __init__(self, driver: Driver, connection: Connection) -> None:
        self._driver = driver
        self._connection = connection
        self._lists = _Lists(connection)

    def create(
        self, url: str, *, events: Sequence[str] | None = None, description: str | None = None
    ) -> Webhook:
        """Add an address; keep the `secret` of the answer, it is not shown again.

        Example:
            >>> secret = client.webhooks.create("https://example.org/hook").secret
        """
        call = subscriptions.create_webhook(url, events=events, description=description)
        return self._run(call)

    def list(self, *, limit: int | None = None) -> Iterator[Webhook]:
        """Yield the addresses, newest first.

        Example:
            >>> [hook.url for hook in client.webhooks.list()]
            ['https://example.org/hook']
        """
        return self._driver.iterate(self._lists.webhooks(limit))

    def get(self, webhook_id: str) -> Webhook:
        """Read one address.

        Example:
            >>> client.webhooks.get("whk_1").is_enabled
            True
        """
        return self._run(subscriptions.get_webhook(webhook_id))

    def update(self, webhook_id: str, **changes: Unpack[WebhookChanges]) -> Webhook:
        """Change an address; what is not given stays.

        Example:
            >>> client.webhooks.update("whk_1", is_enabled=False)
        """
        return self._run(subscriptions.update_webhook(webhook_id, changes))

    def delete(self, webhook_id: str) -> None:
        """Remove an address.

        Example:
            >>> client.webhooks.delete("whk_1")
        """
        self._run(subscriptions.delete_webhook(webhook_id))

    def rotate(self, webhook_id: str) -> Secret:
        """Make a new secret; messages carry both signatures until `previous_valid_until`.

        Example:
            >>> secret = client.webhooks.rotate("whk_1").secret
        """
        return self._run(subscriptions.rotate_secret(webhook_id))

    def test(self, webhook_id: str) -> Delivery:
        """Send a `webhook.test` event, and return its delivery.

        Example:
            >>> client.webhooks.test("whk_1").status
            'pending'
        """
        return self._run(subscriptions.send_test(webhook_id))

    def deliveries(
        self, webhook_id: str, *, status: str | None = None, limit: int | None = None
    ) -> Iterator[Delivery]:
        """Yield what was sent to an address, newest first.

        Example:
            >>> [one.id for one in client.webhooks.deliveries("whk_1", status="failed")]
            ['dlv_7']
        """
        return self._driver.iterate(self._lists.deliveries(webhook_id, status=status, limit=limit))

    def replay(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Send a delivery once more.

        Example:
            >>> client.webhooks.replay("whk_1", "dlv_7")
        """
        return self._run(subscriptions.replay_delivery(webhook_id, delivery_id))

    def signing_secret(self) -> Secret:
        """Read the account's secret: it signs what jobs with a `webhook` of their own send.

        Example:
            >>> secret = client.webhooks.signing_secret().secret
        """
        return self._run(subscriptions.get_signing_secret())

    def rotate_signing_secret(self) -> Secret:
        """Make a new secret of the account.

        Example:
            >>> secret = client.webhooks.rotate_signing_secret().secret
        """
        return self._run(subscriptions.rotate_signing_secret())

    def _run(self, call: Call[T]) -> T:
        return self._driver.run(perform(self._connection, call))


class Events:
    """What happened to the account's jobs, also without any webhook.

    Example:
        >>> [event.type for event in client.events.list(limit=2)]
        ['job.succeeded', 'job.failed']
    """

    def __init__(self, driver: Driver, connection: Connection) -> None:
        self._driver = driver
        self._connection = connection
        self._lists = _Lists(connection)

    def list(self, *, kind: str | None = None, limit: int | None = None) -> Iterator[Event]:
        """Yield events, newest first; `kind` is a type such as `job.failed`.

        Example:
            >>> next(client.events.list(kind="job.failed")).data["error"]["code"]
            'model_unavailable'
        """
        return self._driver.iterate(self._lists.events(kind=kind, limit=limit))

    def get(self, event_id: str) -> Event:
        """Read one event.

        Example:
            >>> client.events.get("evt_1").type
            'job.succeeded'
        """
        return self._driver.run(perform(self._connection, subscriptions.get_event(event_id)))


class AsyncWebhooks:
    """`Webhooks`, awaited.

    Example:
        >>> hook = await client.webhooks.create("https://example.org/hook")
    """

    verify = staticmethod(verify_webhook)

    def __init__(self, driver: AsyncDriver, connection: Connection) -> None:
        self._driver = driver
        self._connection = connection
        self._lists = _Lists(connection)

    async def create(
        self, url: str, *, events: Sequence[str] | None = None, description: str | None = None
    ) -> Webhook:
        """Add an address; keep the `secret` of the answer."""
        call = subscriptions.create_webhook(url, events=events, description=description)
        return await self._run(call)

    def list(self, *, limit: int | None = None) -> AsyncIterator[Webhook]:
        """Yield the addresses, newest first."""
        return self._driver.iterate(self._lists.webhooks(limit))

    async def get(self, webhook_id: str) -> Webhook:
        """Read one address."""
        return await self._run(subscriptions.get_webhook(webhook_id))

    async def update(self, webhook_id: str, **changes: Unpack[WebhookChanges]) -> Webhook:
        """Change an address; what is not given stays."""
        return await self._run(subscriptions.update_webhook(webhook_id, changes))

    async def delete(self, webhook_id: str) -> None:
        """Remove an address."""
        await self._run(subscriptions.delete_webhook(webhook_id))

    async def rotate(self, webhook_id: str) -> Secret:
        """Make a new secret; messages carry both signatures for a while."""
        return await self._run(subscriptions.rotate_secret(webhook_id))

    async def test(self, webhook_id: str) -> Delivery:
        """Send a `webhook.test` event, and return its delivery."""
        return await self._run(subscriptions.send_test(webhook_id))

    def deliveries(
        self, webhook_id: str, *, status: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Delivery]:
        """Yield what was sent to an address, newest first."""
        return self._driver.iterate(self._lists.deliveries(webhook_id, status=status, limit=limit))

    async def replay(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Send a delivery once more."""
        return await self._run(subscriptions.replay_delivery(webhook_id, delivery_id))

    async def signing_secret(self) -> Secret:
        """Read the account's secret, which signs what jobs with their own `webhook` send."""
        return await self._run(subscriptions.get_signing_secret())

    async def rotate_signing_secret(self) -> Secret:
        """Make a new secret of the account."""
        return await self._run(subscriptions.rotate_signing_secret())

    async def _run(self, call: Call[T]) -> T:
        return await self._driver.run(perform(self._connection, call))


class AsyncEvents:
    """`Events`, awaited.

    Example:
        >>> event = await client.events.get("evt_1")
    """

    def __init__(self, driver: AsyncDriver, connection: Connection) -> None:
        self._driver = driver
        self._connection = connection
        self._lists = _Lists(connection)

    def list(self, *, kind: str | None = None, limit: int | None = None) -> AsyncIterator[Event]:
        """Yield events, newest first; `kind` is a type such as `job.failed`."""
        return self._driver.iterate(self._lists.events(kind=kind, limit=limit))

    async def get(self, event_id: str) -> Event:
        """Read one event."""
        call = subscriptions.get_event(event_id)
        return await self._driver.run(perform(self._connection, call))
