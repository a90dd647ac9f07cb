# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The audit of one bag: all that it holds, checked again from a root and nothing else."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from swarm_ledger.audit.anchorage import Anchorage
from swarm_ledger.audit.claims import Claims, Head, Told
from swarm_ledger.audit.court import Court
from swarm_ledger.audit.findings import Finding, Findings, Place, place_of
from swarm_ledger.audit.images import Images, names_of
from swarm_ledger.audit.listening import Heard, listen
from swarm_ledger.audit.rebuild import Gap, Rebuilder
from swarm_ledger.audit.speech import PROVES_ITSELF, UNREADABLE
from swarm_ledger.audit.streams import EARLY_NS, RecorderNumbers, Said, SignedStreams
from swarm_ledger.bags.attached import POLICY
from swarm_ledger.bags.bag import Bag
from swarm_ledger.bags.form import CDR, Channel, Recorded
from swarm_ledger.bags.messages import (
    CHECKPOINT,
    DECISION,
    ENVELOPE,
    HASHES,
    KNOWN,
    OURS,
    QUESTION,
    SIGNED,
    CompressedTold,
    ImageTold,
    ObservationTold,
    parse,
)
from swarm_ledger.bags.signed import Envelope
from swarm_ledger.envelope import Kind, Opened, kind_of
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.voting.commitment import parse_reveal
from swarm_ledger.voting.observation import parse_observation
from swarm_ledger.voting.question import parse_question, question_id

_WORTH_PROCESSES = 10_000
"""Signed messages from which on other processes are done sooner than they are started."""
TIMELINE = 200
"""Parts into which a bag's span is cut to be drawn."""

_TOPICS = {
    ENVELOPE: ("/swarm/envelopes", "/swarm/inbox/"),
    DECISION: ("/swarm/decisions", ""),
    CHECKPOINT: ("/swarm/checkpoints", ""),
    QUESTION: ("/swarm/questions", ""),
    SIGNED: ("/swarm/signed", ""),
}
"""Where the house publishes a type, and where as well, by the beginning of the name."""

EXPECTED = {whole: name for name, (whole, _) in _TOPICS.items()}
"""What is said on the topics that all share."""


@dataclass(frozen=True, slots=True)
class Options:
    """How an audit is to be done. lossy: over radio, gaps and disorder are normal.

    strict: a bag that ends in the middle doesn't pass. jobs: processes for signatures, this one
    among them.
    """

    roster: Path | None = None
    root: Path | None = None
    lossy: bool = False
    strict: bool = False
    jobs: int = 1


@dataclass
class BagAudit:
    """What the audit of one bag came to.

    kinds: what was opened, by kind; topics: messages by topic; timeline: by topic, how many in
    each of equal parts of the span; blocks: by height, the log's size and root, and the place of
    the proposal; gap: why the ledger can't be rebuilt further.
    """

    path: Path
    messages: int = 0
    signatures: int = 0
    secret: int = 0
    size: int = 0
    own_root: bool = False
    swarm_id: str = ""
    epochs: tuple[int, ...] = ()
    truncated: bool = False
    unchecked: int = 0
    span: tuple[int, int] = (0, 0)
    kinds: Counter[str] = field(default_factory=Counter)
    topics: Counter[tuple[str, str]] = field(default_factory=Counter)
    timeline: dict[str, list[int]] = field(default_factory=dict)
    said: dict[tuple[str, str], Said] = field(default_factory=dict)
    heads: dict[int, Head] = field(default_factory=dict)
    decisions: dict[int, Told] = field(default_factory=dict)
    blocks: dict[int, tuple[int, bytes, Place]] = field(default_factory=dict)
    gap: Gap | None = None
    shown: int = 0
    unshown: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    careful: Counter[str] = field(default_factory=Counter)
    findings: tuple[Finding, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong

    @property
    def first(self) -> Finding | None:
        """The first thing that is wrong, in the bag's order; what is wrong with files is last."""
        wrong = [one for one in self.findings if not one.careful]
        inside = [one for one in wrong if one.place.number >= 0]
        return min(inside, key=lambda one: one.place) if inside else next(iter(wrong), None)


@dataclass(slots=True)
class _Counts:
    """The messages of a channel. first_ns, span_ns: of the bag, which timeline has in parts."""

    topic: str
    type_name: str
    first_ns: int
    span_ns: int
    timeline: list[int]
    messages: int = 0

    def take(self, log_ns: int) -> None:
        """Count one."""
        self.messages += 1
        part = (log_ns - self.first_ns) * TIMELINE // self.span_ns
        self.timeline[min(max(part, 0), TIMELINE - 1)] += 1


def audit_bag(path: Path, options: Options) -> BagAudit:
    """Audit one bag. Raises Misuse where it can't be read, or nobody is named to be trusted."""
    auditor = _Auditor(path, options)
    try:
        return auditor.run()
    except NotVerified as error:
        return auditor.without_rosters(error)


class _Auditor:
    """One audit: what it holds while it goes on."""

    def __init__(self, path: Path, options: Options) -> None:
        self._options, self._bag = options, Bag(path)
        self._found = Findings()
        self._report = BagAudit(path)

    def run(self) -> BagAudit:
        heard = self._learn()
        self._claims = Claims(self._speech, self._found)
        self._ledger = Rebuilder(self._speech)
        self._images = Images(self._found, names_of(self._speech.rosters))
        self._numbers = RecorderNumbers(self._found)
        self._channels: dict[tuple[str, int], _Counts] = {}
        self._bag_span = self._bag.span or (0, 0)
        streams = SignedStreams(self._found, lossy=self._options.lossy)
        several = heard.signed >= _WORTH_PROCESSES and heard.all_taught
        jobs = self._options.jobs if several else 1
        with closing(Court(self._speech, jobs, streams.take)) as court:
            for one in self._bag.messages():
                self._take(one, court)
            court.finish()
        self._settle(heard.anchorage, streams)
        return self._report

    def without_rosters(self, error: NotVerified) -> BagAudit:
        """Return what is left to say where the bag's rosters don't follow from the root."""
        self._found.add("roster", f"the rosters in the bag don't hold: {error}")
        for fault in self._bag.faults:
            self._found.add(fault.reason, fault.what, Place(-1, 0, fault.file, fault.offset))
        self._report.wrong, self._report.findings = self._found.wrong, self._found.ordered()
        return self._report

    def _learn(self) -> Heard:
        heard = listen(self._bag, self._options.roster, self._options.root)
        self._report.messages, self._report.size = heard.messages, heard.size
        self._speech = heard.speech
        fault = heard.speech.learn_policy(self._bag.attachments, POLICY)
        if fault:
            self._found.add("attachment", f"{POLICY}: {fault}")
        if heard.anchorage.fault:
            self._found.add("attachment", f"roster: {heard.anchorage.fault}")
        return heard

    def _take(self, one: Recorded, court: Court) -> None:
        """Look at one message."""
        channel = one.channel
        self._numbers.take(one, self._bag.readers[-1].library)
        counts = self._channels.get((one.file, channel.number))
        if counts is None:
            counts = self._channels[one.file, channel.number] = self._begin(channel)
            self._check_channel(channel, place_of(one))
        counts.take(one.log_ns)
        if channel.type_name == SIGNED:
            court.put(one)
        elif channel.type_name in KNOWN:
            place = place_of(one)
            try:
                self._take_known(parse(channel.type_name, one.data), place)
            except PeerFault as fault:
                self._found.add(fault.reason, fault.what, place, who=fault.peer)

    def _begin(self, channel: Channel) -> _Counts:
        """Count a channel's messages as its topic's."""
        first, last = self._bag_span
        timeline = self._report.timeline.setdefault(channel.topic, [0] * TIMELINE)
        return _Counts(channel.topic, channel.type_name, first, last - first + 1, timeline)

    def _take_known(self, message: object, place: Place) -> None:
        if isinstance(message, Envelope):
            self._take_envelope(message, place)
        elif isinstance(message, ObservationTold):
            self._images.take_look(message, place)
        elif isinstance(message, CompressedTold | ImageTold):
            self._images.take_image(message, place)
        else:
            self._claims.take(message, place)

    def _take_envelope(self, envelope: Envelope, place: Place) -> None:
        if envelope.data[:1] in UNREADABLE:
            self._report.secret += 1
            return
        kind = kind_of(envelope.data)
        self._report.kinds[kind.name.lower()] += 1
        self._report.signatures += 1
        if kind in PROVES_ITSELF:
            self._speech.check(envelope)
            self._ledger.take_request(envelope.data)
            return
        opened = self._speech.open(envelope)
        self._note(opened, place)
        for block in self._ledger.take(opened, envelope.epoch, place):
            height = block.applied.height
            self._report.blocks[height] = block.size, block.root, block.place

    def _note(self, opened: Opened, place: Place) -> None:
        """Take note of what is compared with what is told elsewhere."""
        if opened.kind is Kind.QUESTION:
            asked = parse_question(opened.payload)
            self._claims.asked[question_id(opened.payload)] = asked
        elif opened.kind in (Kind.VOTE, Kind.REVEAL):
            if opened.kind is Kind.VOTE:
                seen = parse_observation(opened.payload)
            else:
                seen = parse_reveal(opened.payload).observation
            self._claims.take_vote(opened.author.index, seen)
            self._images.take_vote(opened.author.name, seen)
            if place.log_ns + EARLY_NS < seen.stamp_ms * 1_000_000:
                what = f"{opened.author.name}'s vote was recorded before its image was taken."
                self._found.add("early", what, place, who=opened.author.name)

    def _check_channel(self, channel: Channel, place: Place) -> None:
        """Look at what a topic says to be."""
        name = channel.type_name
        known = HASHES.get(name, "")
        if channel.type_hash and known and channel.type_hash != known:
            what = f"{channel.topic[:80]}: the type hash isn't that of {name}."
            self._found.add("type", what, place)
        if name in KNOWN and channel.encoding != CDR:
            self._found.add(
                "type", f"{channel.topic[:80]} is in {channel.encoding[:40]!r}.", place
            )
        if name.startswith(OURS) and name not in KNOWN:
            self._found.add("type", f"{channel.topic[:80]}: {name[:80]} isn't known.", place)
        whole, begins = _TOPICS.get(name, ("", ""))
        inbox = bool(begins) and channel.topic.removeprefix(begins) in self._images.names
        if whole and channel.topic != whole and not inbox:
            self._found.add("topic", f"{name} isn't said on {channel.topic[:80]}.", place)
        for topic, wanted in EXPECTED.items():
            if channel.topic == topic and name != wanted:
                self._found.add("type", f"{topic} is of {name[:80]}, not {wanted}.", place)

    def _settle(self, anchorage: Anchorage, streams: SignedStreams) -> None:
        report, bag = self._report, self._bag
        for counts in self._channels.values():
            report.topics[counts.topic, counts.type_name] += counts.messages
        for fault in bag.faults:
            careful = fault.reason == "truncated" and not self._options.strict
            place = Place(-1, 0, fault.file, fault.offset)
            self._found.add(fault.reason, fault.what, place, careful=careful)
        streams.settle()
        self._claims.cut = bag.truncated
        self._claims.settle(self._ledger, bag.attachments)
        self._images.settle()
        report.gap = self._ledger.gap()
        if report.gap is not None:
            gap = report.gap
            self._found.add(gap.reason, gap.what + ".", gap.place, careful=gap.late)
        if anchorage.own:
            what = "the root came with the bag: that it is the swarm's is nowhere proven."
            self._found.add("own_root", what, careful=True)
        report.own_root, report.truncated = anchorage.own, bag.truncated
        report.swarm_id = self._speech.swarm_id
        report.epochs = tuple(sorted(self._speech.openers))
        report.signatures += streams.messages
        report.said, report.heads = streams.said, self._claims.heads
        report.decisions, report.span = self._claims.decisions, bag.span or (0, 0)
        report.shown, report.unshown = self._images.shown, self._images.unshown
        report.unchecked = sum(reader.unchecked for reader in bag.readers)
        report.wrong, report.careful = self._found.wrong, self._found.careful
        report.findings = self._found.ordered()
