"""Image encoders: one file a library, the fastest that is installed taken by itself."""

from __future__ import annotations

from engine.core.errors import OptionError
from engine.core.hints import nearest
from engine.sinks.coding import Coding
from engine.sinks.encoders.base import Encoder, Library
from engine.sinks.encoders.imagecodecs import Imagecodecs
from engine.sinks.encoders.pillow import Pillow

# Fastest first.
_LIBRARIES: dict[str, type[Library]] = {library.name: library for library in (Imagecodecs, Pillow)}


def names() -> tuple[str, ...]:
    """Names of the encoders, fastest first."""
    return tuple(_LIBRARIES)


def choose(coding: Coding, asked: str = "auto") -> Encoder:
    """The encoder for a coding: the one asked for, or the fastest that is installed.

    Raises OptionError if the one asked for is unknown, not installed or lacks the format.
    """
    if asked != "auto":
        return _opened(_named(asked, coding), coding, "asked for")
    passed_over: list[str] = []
    for library in _LIBRARIES.values():
        reason = library.unavailable() or _lacks(library, coding)
        if reason is None:
            why = "; ".join(passed_over) or "the fastest encoder that is installed"
            return _opened(library, coding, why)
        passed_over.append(reason)
    raise OptionError(f"no encoder writes {coding.format}: {'; '.join(passed_over)}")


def _named(asked: str, coding: Coding) -> type[Library]:
    if asked not in _LIBRARIES:
        known = ("auto", *_LIBRARIES)
        raise OptionError(f"encoder {asked!r} is unknown; {nearest(asked, known)}")
    library = _LIBRARIES[asked]
    if reason := library.unavailable() or _lacks(library, coding):
        raise OptionError(f"encoder {asked!r}: {reason}")
    return library


def _lacks(library: type[Library], coding: Coding) -> str | None:
    if coding.format in library.formats:
        return None
    return f"{library.name} writes {', '.join(library.formats)}, not {coding.format}"


def _opened(library: type[Library], coding: Coding, reason: str) -> Encoder:
    name = f"{library.name} {library.version(coding.format)}"
    return Encoder(name, reason, library.encoder(coding))
