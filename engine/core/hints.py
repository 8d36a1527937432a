"""What to say about a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable

_LISTED = 12


def nearest(word: str, known: Iterable[str]) -> str:
    """'did you mean 'x'?' for a likely slip, else 'known are a, b, c'."""
    # Only a mistake needs it.
    import difflib

    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    more = f", ... ({len(names)} in all)" if len(names) > _LISTED else ""
    return f"known are {', '.join(names[:_LISTED])}{more}"
