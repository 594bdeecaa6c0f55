"""Where a visitor goes back to: a page of ours, whatever the form or the address says."""

import re

MAX_LENGTH = 2000
_CHARACTERS = r"\w.~%!$&'()*+,;=:@-"
_PATH = re.compile(rf"/(?:[{_CHARACTERS}][/{_CHARACTERS}]*)?(?:\?[/?{_CHARACTERS}]*)?", re.ASCII)
_SIGN_IN = re.compile(r"/sign-(?:in|out)\b")


def safe_path(text: str, *, otherwise: str = "/") -> str:
    """Return a path of this server; anything that could lead elsewhere becomes `otherwise`."""
    is_ours = len(text) <= MAX_LENGTH and _PATH.fullmatch(text) is not None
    return text if is_ours else otherwise


def path_after_sign_in(text: str, *, otherwise: str) -> str:
    """Return where one wanted to go before signing in."""
    path = safe_path(text, otherwise=otherwise)
    return otherwise if path == "/" or _SIGN_IN.match(path) else path
