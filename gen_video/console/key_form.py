"""The form of a new key: what it is for, how long it lives, its own limits."""

from dataclasses import dataclass
from datetime import timedelta

from gen_video.console.fields import FormFields
from gen_video.console.navigation import N_

MAX_LABEL = 120
LIFETIMES = {
    "": N_("Until revoked"),
    "30": N_("30 days"),
    "90": N_("90 days"),
    "365": N_("One year"),
}
"""Days, and what they are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyForm:
    """What was filled in."""

    label: str
    lifetime: timedelta | None
    images_per_day: int | None
    videos_per_day: int | None


def read_key_form(label: str, lifetime: str, images_per_day: str, videos_per_day: str) -> KeyForm:
    """Read the form.

    Raises:
        InvalidRequestError: Names every field that is wrong.
    """
    fields = FormFields(
        {
            "lifetime": [lifetime],
            "images_per_day": [images_per_day],
            "videos_per_day": [videos_per_day],
        }
    )
    days = fields.choice("lifetime", tuple(LIFETIMES))
    form = KeyForm(
        label=label.strip()[:MAX_LABEL],
        lifetime=timedelta(days=int(days)) if days else None,
        images_per_day=fields.count("images_per_day"),
        videos_per_day=fields.count("videos_per_day"),
    )
    fields.check()
    return form
