# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Perception and voting once more, from a bag: where would the outcome have been another one?

Each image is judged again, the looks of each vote are fused again, and the votes are counted again
in the blocks in which the swarm ordered them. Sealed ballots and numbers count as they were
recorded. Nothing else decides, so the same bag and the same model give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from swarm_ledger.audit.findings import place_of
from swarm_ledger.audit.images import drone_of, names_of, picture_of
from swarm_ledger.audit.listening import listen
from swarm_ledger.audit.rebuild import Rebuilder, Rebuilt
from swarm_ledger.audit.speech import UNREADABLE
from swarm_ledger.bags.bag import Bag
from swarm_ledger.bags.messages import (
    COMPRESSED,
    ENVELOPE,
    IMAGE,
    OBSERVATION,
    CompressedTold,
    ImageTold,
    ObservationTold,
    parse,
)
from swarm_ledger.consensus.quorum import faulty
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.perception import Classifier, Perceived
from swarm_ledger.runtime.voter import Look, observe
from swarm_ledger.voting.commitment import Commitment, Reveal
from swarm_ledger.voting.decision import AnyDecision, Settled
from swarm_ledger.voting.limits import ABSTAIN, ABSTAIN_NAME
from swarm_ledger.voting.observation import AnyObservation, Observation
from swarm_ledger.voting.poll import OpenQuestion
from swarm_ledger.voting.question import AnyQuestion, Question, question_id
from swarm_ledger.voting.tally import Tally

_MOST = 1 << 16


@dataclass(frozen=True, slots=True)
class Judged:
    """One image. recorded: what the drone told of it, "" where it told nothing.

    same: whether it is the image that the drone told of, by its digest.
    """

    drone: str
    stamp_ms: int
    recorded: str
    recorded_confidence: float
    again: str
    confidence: float
    same: bool

    @property
    def differs(self) -> bool:
        """Whether it was judged otherwise this time."""
        return bool(self.recorded) and self.recorded != self.again


@dataclass(frozen=True, slots=True)
class Cast:
    """One vote. again: None where no image of it is in the bag; then it counts as recorded."""

    drone: str
    question: bytes
    recorded: str
    again: str | None
    looks: int

    @property
    def differs(self) -> bool:
        """Whether it would be another one."""
        return self.again is not None and self.again != self.recorded


@dataclass(frozen=True, slots=True)
class Settling:
    """One question. recorded, again: how it ended, None where it didn't; as the ledger has it."""

    question: AnyQuestion
    recorded: AnyDecision | None
    again: AnyDecision | None

    @property
    def differs(self) -> bool:
        """Whether the outcome would be another one: not the counts alone."""
        return self._outcome(self.recorded) != self._outcome(self.again)

    def _outcome(self, decision: AnyDecision | None) -> tuple[int, str] | None:
        return (int(decision.outcome), decision.answer(self.question)) if decision else None


@dataclass
class Replay:
    """What became of a bag. gap: why later blocks couldn't be counted again, "" where all were."""

    images: list[Judged] = field(default_factory=list)
    votes: list[Cast] = field(default_factory=list)
    decisions: list[Settling] = field(default_factory=list)
    unread: int = 0
    gap: str = ""

    @property
    def differs(self) -> bool:
        """Whether a decision would be another one."""
        return any(one.differs for one in self.decisions)


def replay_bag(
    path: Path, classifier: Classifier, *, roster: Path | None = None, root: Path | None = None
) -> Replay:
    """Judge and vote again. Misuse as listen(); signatures that don't hold count for nothing."""
    bag = Bag(path)
    heard = listen(bag, roster, root)
    eyes = _Eyes(classifier, names_of(heard.speech.rosters))
    ledger, blocks = Rebuilder(heard.speech), list[Rebuilt]()
    for one in bag.messages():
        try:
            if one.channel.type_name == ENVELOPE:
                envelope = parse(ENVELOPE, one.data)
                if envelope.data[:1] in _PROVE_THEMSELVES:
                    heard.speech.check(envelope)
                    ledger.take_request(envelope.data)
                elif envelope.data[:1] not in UNREADABLE:
                    opened = heard.speech.open(envelope)
                    blocks += ledger.take(opened, envelope.epoch, place_of(one))
            elif one.channel.type_name == OBSERVATION:
                eyes.take_look(parse(OBSERVATION, one.data))
            elif one.channel.type_name in (IMAGE, COMPRESSED):
                eyes.take_image(one.channel.topic, parse(one.channel.type_name, one.data))
        except (PeerFault, Misuse):
            eyes.unread += 1
    replay = Replay(images=eyes.judged(), unread=eyes.unread)
    gap = ledger.gap()
    if gap is not None or not blocks:
        replay.gap = gap.what if gap else "no block follows from what is in the bag"
    _Recount(heard.speech.trust.genesis.voters, eyes, replay).run(blocks)
    return replay


_PROVE_THEMSELVES = tuple(bytes([one]) for one in (Kind.SESSION, Kind.ROSTER, Kind.EVIDENCE))


class _Eyes:
    """What drones saw, judged again as it is taken."""

    def __init__(self, classifier: Classifier, names: frozenset[str]) -> None:
        self._classifier, self._names = classifier, names
        self._seen: dict[tuple[str, int], tuple[Perceived, tuple[bytes, ...]]] = {}
        self._looks: dict[tuple[str, bytes], list[ObservationTold]] = {}
        self._told: dict[tuple[str, int], ObservationTold] = {}
        self.unread = 0

    def take_image(self, topic: str, told: CompressedTold | ImageTold) -> None:
        drone = drone_of(topic, self._names)
        if drone and len(self._seen) < _MOST:
            picture, digests = picture_of(told)
            found = self._classifier.classify(picture), digests
            self._seen[drone, told.stamp_ns // 1_000_000] = found

    def take_look(self, told: ObservationTold) -> None:
        if len(self._told) < _MOST:
            self._looks.setdefault((told.drone, told.question), []).append(told)
            self._told[told.drone, told.stamp_ns // 1_000_000] = told

    def judged(self) -> list[Judged]:
        """Return all images, drone by drone, in the order of their stamps."""
        found = []
        for (drone, stamp_ms), (perceived, digests) in sorted(
            self._seen.items(), key=lambda one: one[0]
        ):
            told = self._told.get((drone, stamp_ms))
            found.append(
                Judged(
                    drone,
                    stamp_ms,
                    told.label if told else "",
                    round(told.confidence, 6) if told else 0.0,
                    perceived.label,
                    round(perceived.confidence, 6),
                    told is not None and told.image in digests,
                )
            )
        return found

    def looks(self, drone: str, vote: Observation) -> list[Look]:
        """Return the looks behind a vote that are in the bag, judged again, in their order."""
        told = self._looks.get((drone, vote.question), [])
        stamps = sorted({one.stamp_ns // 1_000_000 for one in told} | {vote.stamp_ms})
        found = []
        for stamp_ms in stamps:
            seen = self._seen.get((drone, stamp_ms))
            if seen is not None and stamp_ms <= vote.stamp_ms:
                bearing, distance = vote.bearing_mrad / 1000, vote.distance_mm / 1000
                found.append(Look(seen[0], stamp_ms, seen[1][0], bearing, distance))
        return found


class _Recount:
    """Counts votes again, block by block."""

    def __init__(self, voters: Iterable[int], eyes: _Eyes, replay: Replay) -> None:
        members = frozenset(voters)
        self._tally = Tally(members, faulty(len(members)))
        self._eyes, self._replay = eyes, replay
        self._asked: dict[bytes, AnyQuestion] = {}

    def run(self, blocks: Iterable[Rebuilt]) -> None:
        recorded: dict[bytes, Settled] = {}
        again: dict[bytes, AnyDecision] = {}
        for block in blocks:
            applied = block.applied
            now_ms, height = applied.time_ms, applied.height
            for receipt in applied.receipts:
                content, author = receipt.content, receipt.author
                if isinstance(content, AnyQuestion):
                    name = question_id(encode(content))
                    self._asked[name] = content
                    self._tally.open(name, content, now_ms, height)
                elif author is None:
                    continue
                elif isinstance(content, AnyObservation):
                    vote = self._vote(author.name, content)
                    self._tally.vote(author.index, vote, now_ms, height)
                elif isinstance(content, Commitment):
                    self._tally.commit(author.index, content, now_ms, height)
                elif isinstance(content, Reveal):
                    self._tally.reveal(author.index, content, now_ms, height)
            for decision in self._tally.advance(now_ms, height):
                again[decision.question] = decision
            recorded |= {one.decision.question: one for one in applied.decisions}
            if applied.roster is not None:
                voters = frozenset(applied.roster.voters)
                self._tally.change_voters(voters, faulty(len(voters)))
        for name, question in self._asked.items():
            was = recorded[name].decision if name in recorded else None
            self._replay.decisions.append(Settling(question, was, again.get(name)))

    def _vote(self, drone: str, vote: AnyObservation) -> AnyObservation:
        """Return the vote as it would be today; a number stays what was measured."""
        question = self._asked.get(vote.question)
        if not isinstance(question, Question) or not isinstance(vote, Observation):
            return vote
        looks = self._eyes.looks(drone, vote)
        fresh = observe(OpenQuestion(vote.question, question, 0, 0), looks) if looks else None
        was, now = _label(question, vote.label), _label(question, fresh.label) if fresh else None
        self._replay.votes.append(Cast(drone, vote.question, was, now, len(looks)))
        return fresh or vote


def _label(question: Question, label: int) -> str:
    if label == ABSTAIN or label >= len(question.labels):
        return ABSTAIN_NAME
    return question.labels[label]
