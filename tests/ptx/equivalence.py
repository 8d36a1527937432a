"""Proofs that a mutant does the same as its original, by rules on the control flow of the PTX.

No rule looks at what a run showed. Each holds on every path of the program:

barrier: without the dropped barrier, every path to (or from) it still has another one before (or
    after) anything that warps could see of each other; or between the barriers around it shared
    memory is only read.
group: a dropped commit puts copies into the next group, and every wait asks for both or for none.
wait: every path has another wait for as few groups, before anything uses what was waited for, or
    had one since the last group was committed.
fence: every path from the last one has no write that it could make visible, or every path to the
    next has no access that needs it.
ending: nothing uses shared memory after an mbarrier is invalidated.
dead: what the instruction writes is never read.
neutral: the other operation has the same result for these constants.
"""

from __future__ import annotations

from collections.abc import Callable

from kernels.ptxsim.operands import Address, Immediate, Operand, Pair, Register, Vector
from kernels.ptxsim.parser import Instruction, parse
from tests.ptx.mutants import Mutant

_ENGINES = ("wgmma", "mbarrier", "tcgen05", "tensormap", "fence")


class Proof:
    """The control flow of a program. `private`: no buffer is both read and written."""

    def __init__(self, ptx: str, private: bool) -> None:
        program = parse(ptx)
        self.code = program.instructions
        self.private = private
        self.after: list[list[int]] = []
        for place, found in enumerate(self.code):
            following = [place + 1] if place + 1 < len(self.code) else []
            if found.name == "bra":
                following = [found.target] + (following if found.guard else [])
            elif found.name == "brx":
                table = program.tables[found.operands[1].text]
                following = [program.labels[label] for label in table]
            elif found.name in ("ret", "exit") and not found.guard:
                following = []
            self.after.append(following)
        self.before: list[list[int]] = [[] for _ in self.code]
        for place, following in enumerate(self.after):
            for other in following:
                self.before[other].append(place)

    def of(self, mutant: Mutant) -> str:
        """The rule that proves a mutant equivalent, or an empty string."""
        found = self.code[mutant.place]
        opcode = ".".join(found.opcode)
        if mutant.operator == "drop" and _is_barrier(found):
            return "barrier" if self._barrier(mutant.place) else ""
        if mutant.operator == "drop" and opcode == "cp.async.commit_group":
            return "group" if self._group(mutant.place) else ""
        if mutant.operator in ("drop", "late") and opcode == "cp.async.wait_group":
            return "wait" if self._wait(mutant.place) else ""
        if mutant.operator == "drop" and opcode.startswith("fence.proxy.async"):
            return "fence" if self._fence(mutant.place) else ""
        if mutant.operator == "drop" and opcode.startswith("mbarrier.inval"):
            return "ending" if self._ending(mutant.place) else ""
        if mutant.operator in ("arithmetic", "operands", "predicate"):
            if _neutral(mutant, found):
                return "neutral"
            return "dead" if self._dead(mutant.place) else ""
        return ""

    def _all_paths(
        self,
        start: int,
        forward: bool,
        stops: Callable[[Instruction], bool],
        breaks: Callable[[Instruction], bool],
    ) -> bool:
        """Whether every path from an instruction meets one that stops, or its end, before a break.

        The instruction itself is passed over when a loop comes back to it.
        """
        edges = self.after if forward else self.before
        waiting, seen = list(edges[start]), {start}
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            if stops(self.code[place]):
                continue
            if breaks(self.code[place]):
                return False
            waiting += edges[place]
        return True

    def _visible(self, found: Instruction) -> bool:
        """Whether other warps could notice when an instruction runs."""
        if found.name in ("ld", "st", "atom", "red"):
            shared = any(part.startswith("shared") for part in found.opcode)
            parameter = found.opcode[1] == "param"
            return shared or (not parameter and (not self.private or found.name in ("atom", "red")))
        if found.opcode[:3] == ("mbarrier", "arrive", "expect_tx"):
            # Its phase cannot complete before a copy that is issued later has landed.
            return False
        if found.opcode[:3] == ("fence", "proxy", "async") and found.guard is None:
            # Every warp has it before its own use of an engine; a barrier on either side does.
            return False
        if found.name == "cp":
            return not ".".join(found.opcode).endswith("commit_group")
        return found.name in (*_ENGINES, "ldmatrix", "stmatrix", "bar", "barrier")

    def _barrier(self, place: int) -> bool:
        def more_than_reads(found: Instruction) -> bool:
            reads = found.name == "ldmatrix" or (found.name == "ld" and self.private)
            if found.opcode[:3] == ("cp", "async", "wait_group"):
                # A wait that changes nothing brings nothing into sight.
                reads = self._wait(self.code.index(found))
            return self._visible(found) and not reads

        def initialises(found: Instruction) -> bool:
            return found.opcode[:2] == ("mbarrier", "init")

        fresh = not self._all_paths(place, False, _is_barrier, initialises)

        def visible(found: Instruction) -> bool:
            # What was just initialised must not be used by another warp at all.
            return self._visible(found) or (fresh and found.name == "mbarrier")

        directions = (True, False)
        return any(
            self._all_paths(place, forward, _is_barrier, visible) for forward in directions
        ) or all(
            self._all_paths(place, forward, _is_barrier, more_than_reads) for forward in directions
        )

    def _group(self, place: int) -> bool:
        """No older group is open, and no wait stands exactly between this group and the next."""

        def form(found: Instruction) -> str:
            return found.opcode[2] if found.opcode[:2] == ("cp", "async") else ""

        def waits_for_all(found: Instruction) -> bool:
            zero = form(found) == "wait_group" and found.operands[0].text == "0"
            return zero or form(found) == "wait_all"

        def commits(found: Instruction) -> bool:
            return form(found) == "commit_group"

        if not self._all_paths(place, False, waits_for_all, commits):
            return False
        waiting, seen = [(place + 1, 0)], set()
        while waiting:
            at, later = waiting.pop()
            if (at, later) in seen or at >= len(self.code):
                continue
            seen.add((at, later))
            found = self.code[at]
            if commits(found):
                later += 1
            if form(found) == "wait_all":
                continue
            if form(found) == "wait_group":
                left = int(found.operands[0].text)
                if later == left:
                    return False
                if later > left:
                    continue
            waiting += [(following, later) for following in self.after[at]]
        return True

    def _wait(self, place: int) -> bool:
        left = int(self.code[place].operands[0].text)

        def as_strict(found: Instruction) -> bool:
            is_wait = found.opcode[:3] in (
                ("cp", "async", "wait_group"),
                ("cp", "async", "wait_all"),
            )
            return is_wait and (not found.operands or int(found.operands[0].text) <= left)

        def commits(found: Instruction) -> bool:
            return found.opcode[:3] == ("cp", "async", "commit_group")

        return self._all_paths(place, True, as_strict, self._visible) or self._all_paths(
            place, False, as_strict, commits
        )

    def _fence(self, place: int) -> bool:
        def fences(found: Instruction) -> bool:
            return found.opcode[:3] == ("fence", "proxy", "async") and found.guard is None

        def writes(found: Instruction) -> bool:
            copies = found.opcode[:3] in (("cp", "async", "ca"), ("cp", "async", "cg"))
            return copies or found.name in ("st", "stmatrix", "atom", "red", "tensormap")

        def engines(found: Instruction) -> bool:
            return found.name in ("wgmma", "tcgen05", "cp", "mbarrier", "bar", "barrier")

        return self._all_paths(place, False, fences, writes) or self._all_paths(
            place, True, fences, engines
        )

    def _ending(self, place: int) -> bool:
        def uses(found: Instruction) -> bool:
            writes = found.name in ("st", "stmatrix", "cp", "tcgen05")
            return writes or ".".join(found.opcode[:2]) in ("mbarrier.init", "mbarrier.try_wait")

        return self._all_paths(place, True, lambda found: False, uses)

    def _dead(self, place: int) -> bool:
        found = self.code[place]
        if found.name in ("st", "bra", "cp", "ldmatrix", "stmatrix", "red", "atom"):
            return False
        written = _registers(found.operands[:1])
        if not written or found.name in _ENGINES:
            return False

        def reads(other: Instruction) -> bool:
            guard = {other.text.split()[0].lstrip("@!")} if other.guard else set()
            stores = other.name in ("st", "stmatrix", "cp", "red", *_ENGINES)
            return bool(written & (guard | _registers(other.operands[0 if stores else 1 :])))

        def overwrites(other: Instruction) -> bool:
            only = other.guard is None and not reads(other)
            return only and written <= _registers(other.operands[:1])

        return self._all_paths(place, True, overwrites, reads)


def _is_barrier(found: Instruction) -> bool:
    """A barrier of the whole block that every thread comes to."""
    whole = found.name in ("bar", "barrier") and found.opcode[1] == "sync"
    return whole and found.guard is None and len(found.operands) == 1


def _registers(operands: tuple[Operand, ...]) -> set[str]:
    names: set[str] = set()
    for operand in operands:
        if isinstance(operand, Register):
            names.add(operand.text)
        elif isinstance(operand, Vector):
            names |= _registers(operand.elements)
        elif isinstance(operand, Pair):
            names |= _registers((operand.first, operand.second))
        elif isinstance(operand, Address):
            names |= _registers((operand.base, *operand.coordinates))
        else:
            names.add(operand.text.lstrip("!"))
    return names


def _neutral(mutant: Mutant, found: Instruction) -> bool:
    """Adding or taking away 0, shifting by 0, and-ing or or-ing equal operands."""
    if mutant.operator == "predicate":
        return found.name == "selp" and found.operands[1].text == found.operands[2].text
    left, right = found.operands[1:3]
    if mutant.operator == "operands":
        return found.name == "sub" and left.text == right.text
    if found.name in ("and", "or"):
        return left.text == right.text
    zero = isinstance(right, Immediate) and int(right.text.rstrip("U"), 0) == 0
    return zero and found.name in ("add", "sub", "shl", "shr")
