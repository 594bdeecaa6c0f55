"""Every page of the console, for tests that hold for all of them, and for the screenshots."""

from dataclasses import dataclass
from typing import Literal

Who = Literal["visitor", "member", "owner"]


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its name in files of screenshots, its path, and who looks at it."""

    name: str
    path: str
    who: Who = "member"


PAGES = (
    Page("landing", "/", "visitor"),
    Page("sign-in", "/sign-in", "visitor"),
    Page("missing", "/no/such/page", "visitor"),
    Page("playground", "/console/playground"),
    Page("playground-video", "/console/playground/video"),
    Page("playground-again", "/console/playground?again={job_id}"),
    Page("gallery", "/console/gallery"),
    Page("gallery-empty", "/console/gallery?search=xyzzy"),
    Page("job", "/console/jobs/{job_id}"),
    Page("account", "/console/account"),
    Page("keys", "/console/developer"),
    Page("usage", "/console/developer/usage"),
    Page("webhooks", "/console/developer/webhooks"),
    Page("webhook", "/console/developer/webhooks/{endpoint_id}"),
    Page("requests", "/console/developer/requests"),
    Page("requests-errors", "/console/developer/requests?only=errors"),
    Page("overview", "/console/owner", "owner"),
    Page("users", "/console/owner/users", "owner"),
    Page("user", "/console/owner/users/test_user", "owner"),
    Page("plans", "/console/owner/plans", "owner"),
    Page("queue", "/console/owner/queue", "owner"),
    Page("models", "/console/owner/models", "owner"),
    Page("audit", "/console/owner/audit", "owner"),
    Page("system", "/console/owner/system", "owner"),
)
"""A path with `{job_id}` means a job that succeeded, one with `{endpoint_id}` a webhook's."""
