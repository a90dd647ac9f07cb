# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Numbers in a bag: the senders' own, which are signed, and the recorder's, which are not."""

from __future__ import annotations

from dataclasses import dataclass, field

from swarm_ledger.audit.findings import Findings, Place, place_of
from swarm_ledger.audit.signing import Verdict
from swarm_ledger.bags.form import Recorded
from swarm_ledger.bags.writing import LIBRARY
from swarm_ledger.relay.statement import number_of, run_of
from swarm_ledger.relay.stream import Stream

_REORDER = 1 << 14
_MOST_MISSING = 1 << 12
EARLY_NS = 5_000_000_000
"""How far the recorder's clock may be behind a signer's."""


@dataclass
class Said:
    """What one drone said on one topic. lost: gaps in its numbers, ends not counted."""

    type_name: str
    messages: int = 0
    bytes: int = 0
    lost: int = 0


@dataclass(slots=True)
class _Line:
    """The numbers under one key on one topic. missing: with the place where that showed."""

    signer: str
    topic: str
    said: Said
    stream: Stream = field(default_factory=lambda: Stream(_REORDER))
    highest: int = 0
    missing: dict[int, Place] = field(default_factory=dict)


class SignedStreams:
    """Takes verdicts on signed messages in the order of recording.

    DDS keeps each publisher's order, so numbers grow; where radio bridges don't, `lossy` makes of
    gaps and disorder what they are there: the normal case.
    """

    def __init__(self, findings: Findings, *, lossy: bool) -> None:
        self._findings, self._lossy = findings, lossy
        self._lines: dict[tuple[bytes, str], _Line] = {}
        self.said: dict[tuple[str, str], Said] = {}
        self.messages = self.held = 0

    def take(self, one: Recorded, verdict: Verdict) -> None:
        """Take the verdict on a message."""
        self.messages += 1
        if verdict.reason:
            self._add(verdict.reason, verdict.what, place_of(one), verdict.signer)
            return
        line = self._lines.get((verdict.kid, verdict.topic)) or self._line(verdict)
        sequence, stream = verdict.sequence, line.stream
        if sequence == line.highest + 1:
            stream.mark(sequence)
            line.highest = sequence
        else:
            fault = stream.fault(sequence)
            if fault:
                what = f"{verdict.topic}: number {number_of(sequence)} again."
                self._add(fault, what, place_of(one), verdict.signer)
                return
            before = stream.lost
            stream.mark(sequence)
            line.said.lost += stream.lost - before
            self._check_order(line, sequence, place_of(one))
        if one.log_ns and one.log_ns + EARLY_NS < verdict.stamp_us * 1_000:
            what = f"{verdict.topic}: {number_of(sequence)} was recorded before it was signed."
            self._add("early", what, place_of(one), verdict.signer)
        self.held += 1
        line.said.messages += 1
        line.said.bytes += verdict.size

    def _line(self, verdict: Verdict) -> _Line:
        """Begin a line: the first message of a key on a topic."""
        signer, topic = verdict.signer, verdict.topic
        said = self.said.setdefault((signer, topic), Said(verdict.type_name))
        line = self._lines[verdict.kid, topic] = _Line(signer, topic, said)
        return line

    def settle(self) -> None:
        """Tell what is missing, when all was taken: what came late is not."""
        for line in self._lines.values():
            runs: dict[Place, list[int]] = {}
            for sequence, place in line.missing.items():
                runs.setdefault(place, []).append(number_of(sequence))
            for place, numbers in runs.items():
                what = f"{line.topic}: {len(numbers)} numbers from {min(numbers)} on are missing."
                self._add("gap", what, place, line.signer, careful=self._lossy)

    def _check_order(self, line: _Line, sequence: int, place: Place) -> None:
        number, same = number_of(sequence), run_of(sequence) == run_of(line.highest)
        if sequence < line.highest:
            line.missing.pop(sequence, None)
            behind = number_of(line.highest) if same else "a later run"
            what = f"{line.topic}: number {number} comes behind {behind}."
            self._add("order", what, place, line.signer, careful=self._lossy)
            return
        due = line.highest + 1 if same else sequence - number + 1
        if line.highest and due != sequence:
            room = _MOST_MISSING - len(line.missing)
            line.missing |= dict.fromkeys(range(due, min(sequence, due + room)), place)
        line.highest = sequence

    def _add(
        self, reason: str, what: str, place: Place, who: str, *, careful: bool = False
    ) -> None:
        self._findings.add(reason, what, place, careful=careful, who=who)


class RecorderNumbers:
    """The recorder's numbers and times: what was dropped, doubled or moved without care.

    Only our recorder numbers each channel from 1, and writes in the order of its clock. Whoever
    knows that can number anew: nothing here is signed.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._file = self._library = ""
        self._ours = False
        self._last: dict[int, int] = {}
        self._latest = 0

    def take(self, one: Recorded, library: str) -> None:
        """Look at a message. library: who says to have written its file."""
        if one.file != self._file:
            self._file, self._last, self._latest = one.file, {}, 0
        if library != self._library:
            self._library, self._ours = library, library.startswith(LIBRARY)
        if not self._ours:
            return
        channel, latest = one.channel.number, self._latest
        due = self._last.get(channel, 0) + 1
        if one.sequence == due:
            self._last[channel] = due
        else:
            self._misnumbered(one, due)
            self._last[channel] = max(one.sequence, due - 1)
        if one.log_ns >= latest:
            self._latest = one.log_ns
        else:
            what = (
                f"{one.channel.topic}: recorded {latest - one.log_ns} ns before what it follows."
            )
            self._findings.add("moved", what, place_of(one))

    def _misnumbered(self, one: Recorded, due: int) -> None:
        topic = one.channel.topic
        if one.sequence > due:
            what = f"{topic}: the recorder's numbers {due} to {one.sequence - 1} are missing."
            self._findings.add("dropped", what, place_of(one))
        else:
            what = f"{topic}: the recorder's number {one.sequence} comes where {due} is due."
            self._findings.add("doubled", what, place_of(one))
