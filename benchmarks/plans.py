"""A plan that limits nothing but what is measured; the tests use it too."""

from dataclasses import replace

from gen_video.accounts.models import DEFAULT_PLANS, Plan

AMPLE = 1_000_000


def ample_plan(plan_id: str, **figures: int | str) -> Plan:
    """Return a plan whose limits nobody meets, except for the figures given here."""
    limitless: dict[str, int | str] = {
        "id": plan_id,
        "title_en": plan_id,
        "title_zh": plan_id,
        "images_per_day": AMPLE,
        "videos_per_day": AMPLE,
        "max_in_flight": AMPLE,
        "max_pictures": 10,
        "max_work": AMPLE**2,
        "max_video_work": AMPLE**2,
        "weight": 1,
        "max_running": 0,
        "requests_per_minute": 0,
    }
    return replace(DEFAULT_PLANS[-1], **(limitless | figures))  # type: ignore[arg-type]  # by name
