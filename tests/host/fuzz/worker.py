"""Opens files one after the other under limits of memory, and says of each what became of it.

A line of JSON in (`path`, `opener`), one out (`Answer`). The limits leave `_SPARE_BYTES` above what
a process with its libraries and a good file of each kind take.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import traceback
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.host.fuzz.openers import ERRORS, OPENERS

_SPARE_BYTES = 1 << 30
# What a failure of an allocation is called, also where somebody made a proper error of it.
_SHORTAGE = ("out of memory", "allocate memory", "bad_alloc", "bad alloc", "Unable to allocate")


@dataclass(frozen=True)
class Answer:
    """What became of a file.

    outcome: "opened" with a digest of its samples; "refused" with one of our errors; "memory" if
    an allocation was refused; "foreign" for any other exception; "noise" if a library wrote to
    stderr. grown_bytes: the peak of memory above what was in use before.
    """

    outcome: str
    message: str = ""
    digest: str = ""
    grown_bytes: int = 0


def status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def limit() -> None:
    """Of address space and of memory, above what is in use now."""
    for kind, field in ((resource.RLIMIT_AS, "VmSize:"), (resource.RLIMIT_DATA, "VmData:")):
        resource.setrlimit(kind, (status(field) + _SPARE_BYTES, resource.RLIM_INFINITY))


def answer(path: Path, opener: str) -> Answer:
    # The peak is taken anew from here.
    Path("/proc/self/clear_refs").write_text("5")
    before, said = status("VmRSS:"), os.fstat(2).st_size
    result = _opened(path, opener)
    grown = max(status("VmHWM:") - before, 0)
    if os.fstat(2).st_size > said and result.outcome in ("opened", "refused"):
        result = Answer("noise", os.pread(2, 2000, said).decode(errors="replace"))
    return replace(result, grown_bytes=grown)


def _opened(path: Path, opener: str) -> Answer:
    try:
        samples: Any = OPENERS[opener](path)
    except ERRORS[opener] as error:
        message = str(error)
        short = any(word in message for word in _SHORTAGE)
        tidy = "\n" not in message and len(message) < 2000
        return Answer("memory" if short else "refused" if tidy else "untidy", message[:2000])
    except MemoryError as error:
        return Answer("memory", repr(error))
    except BaseException:
        return Answer("foreign", traceback.format_exc()[-2000:])
    return Answer("opened", digest=hashlib.sha256(samples).hexdigest())


def main() -> None:
    # Libraries print what they like; answers have a channel of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        question = json.loads(line)
        if question.get("limit"):
            limit()
            print("{}", file=answers)
            continue
        given = answer(Path(question["path"]), question["opener"])
        print(json.dumps(asdict(given)), file=answers)


if __name__ == "__main__":
    main()
