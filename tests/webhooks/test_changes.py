"""What a change of an endpoint carries with it."""

import pytest

from gen_video.webhooks.changes import FRESH, EndpointChanges


@pytest.mark.parametrize(
    "changes", [EndpointChanges(url="https://new.example/"), EndpointChanges(is_enabled=True)]
)
def test_a_new_address_and_a_new_start_forget_failures_and_pauses(changes: EndpointChanges) -> None:
    assert FRESH.items() <= changes.columns().items()


def test_other_changes_leave_pauses_alone() -> None:
    changes = EndpointChanges(description="orders", has_events=True, events=None)

    assert not FRESH.keys() & changes.columns().keys()
