"""The sections of the console, as its header shows them."""

from dataclasses import dataclass


def N_(text: str) -> str:  # noqa: N802 - the name that extractors of words know
    """Mark a text for translation where it is shown."""
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the console with a page of its own; `title` is translated where it is shown."""

    path: str
    title: str
    icon: str
    is_for_admins: bool = False


SECTIONS: tuple[Section, ...] = (
    Section(path="/console/playground", title=N_("Playground"), icon="spark"),
    Section(path="/console/gallery", title=N_("Gallery"), icon="grid"),
    Section(path="/console/developer", title=N_("Developer"), icon="code"),
    Section(path="/console/owner", title=N_("Owner"), icon="gauge", is_for_admins=True),
)
ACCOUNT_PATH = "/console/account"


def home_path() -> str:
    """Return where one is after signing in."""
    return SECTIONS[0].path if SECTIONS else ACCOUNT_PATH
