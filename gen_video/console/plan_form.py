"""The form of a plan: its names and figures; caps on a single request stay as they are."""

import re
from collections.abc import Mapping
from dataclasses import replace

from gen_video.accounts.models import DEFAULT_PLANS, Plan
from gen_video.console.fields import FormFields
from gen_video.console.navigation import N_
from gen_video.errors import FieldProblem, InvalidRequestError

MAX_TITLE = 80
FIGURES = {
    "images_per_day": (N_("Pictures a day"), 0),
    "videos_per_day": (N_("Videos a day"), 0),
    "max_in_flight": (N_("Unfinished jobs"), 1),
    "max_running": (N_("Competing jobs (0: no limit)"), 0),
    "max_pictures": (N_("Pictures of one request"), 1),
    "weight": (N_("Share under load"), 1),
    "requests_per_minute": (N_("Requests a minute (0: no limit)"), 0),
}
"""What each figure is called, and the least that it may be."""
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,19}")


def read_plan_form(old: Plan, values: Mapping[str, str]) -> Plan:
    """Return a plan with what was filled in; an empty field stays as it is.

    Raises:
        InvalidRequestError: Names every field that is wrong.
    """
    fields = FormFields({name: [value] for name, value in values.items()})
    figures = {name: fields.count(name, least=least) for name, (_, least) in FIGURES.items()}
    fields.check()
    changed = {name: value for name, value in figures.items() if value is not None}
    titles = {
        name: title[:MAX_TITLE]
        for name in ("title_en", "title_zh")
        if (title := values.get(name, "").strip())
    }
    return replace(old, **changed, **titles)  # type: ignore[arg-type] # the names are those of Plan


def new_plan(plan_id: str) -> Plan:
    """Return a plan to begin with, with the figures of the smallest one.

    Raises:
        InvalidRequestError: That cannot be the id of a plan.
    """
    if not _ID.fullmatch(plan_id):
        raise InvalidRequestError(
            FieldProblem(
                pointer="/plan_id",
                code="invalid_id",
                en="a plan's id has 1 to 20 small letters, digits, - and _",
                zh="套餐 id 为 1 至 20 个小写字母、数字、- 或 _",
            )
        )
    return replace(DEFAULT_PLANS[0], id=plan_id, tier=plan_id, title_en=plan_id, title_zh=plan_id)
