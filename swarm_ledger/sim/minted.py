# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A ledger that a swarm might have flown, made without a flight: real keys, signatures and proofs.

It verifies like any other. Each decision takes two blocks: the question, then all votes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from swarm_ledger.consensus.messages import Batch, Commit
from swarm_ledger.consensus.quorum import quorum
from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.identity.roster import FLYING, OPERATORS, Member, parse_roster, render_roster
from swarm_ledger.identity.trust import Trust
from swarm_ledger.identity.tuf import sign_root, sign_roster
from swarm_ledger.ledger.checkpoint import Checkpoint, assemble, cosign
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime import snapshot
from swarm_ledger.runtime.blocks import genesis_entry
from swarm_ledger.runtime.identity import Identity, take_up
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.signers import KeyStore, Signer, SoftwareSigner
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.question import Question, question_id
from swarm_ledger.voting.rules import Majority

START_MS = 1_893_456_000_000
_DAY_S = 86_400
_STEP_MS = 10
_OPERATOR = "operator_1"
_VOTE_BYTES = 230


def _key(name: str) -> SoftwareSigner:
    return SoftwareSigner(digest(f"minted {name}".encode()))


class Minted:
    """A swarm of `drones` validators and voters that appends to a store what it decides.

    Use a store that is empty. Misuse for a number of drones that no roster has.
    """

    def __init__(self, store: Store, drones: int) -> None:
        names = [f"drone_{number}" for number in range(1, drones + 1)]
        roles = {**dict.fromkeys(names, FLYING), _OPERATOR: OPERATORS}
        members = [
            Member(index, name, _key(name).public_key, KeyStore.SOFTWARE, role)
            for index, (name, role) in enumerate(roles.items())
        ]
        self.store, raw = store, render_roster("minted", 1, members)
        self._roster, operators = parse_roster(raw), [_key(_OPERATOR)]
        end = datetime.fromtimestamp(START_MS / 1000 + 365 * _DAY_S, tz=timezone.utc)
        root = sign_root(operators, threshold=1, expires=end)
        self.trust = Trust(root, [(sign_roster(raw, operators, expires=end), raw)])
        start_s = START_MS // 1000
        self._fliers = [
            take_up(
                self._roster,
                _key(name),
                _key(f"{name}'s session"),
                not_before=start_s,
                expires=start_s + 7 * _DAY_S,
            )
            for name in names
        ]
        self._quorum = self._fliers[: quorum(drones)]
        self._machine, self._asked = Machine(self.trust), 0
        store.append_block(0, [genesis_entry(self._roster)], b"")
        self._block([flier.delegation for flier in self._fliers])

    @property
    def identities(self) -> tuple[Identity, ...]:
        """The drones, each with its session, which the ledger has from its first block on."""
        return tuple(self._fliers)

    def root(self, name: str) -> Signer:
        """Return a member's root key."""
        return _key(name)

    @property
    def time_ms(self) -> int:
        """The ledger's time."""
        return self._machine.time_ms

    def ask(self, questions: Sequence[Question], votes: Sequence[bytes] = ()) -> list[bytes]:
        """Append a block with these votes, then these questions; return the questions' ids."""
        asked = [encode(question) for question in questions]
        operator = _key(_OPERATOR)
        sealed = [seal(Kind.QUESTION, one, operator, self._roster) for one in asked]
        self._block([*votes, *sealed])
        return [question_id(one) for one in asked]

    def decide(self) -> None:
        """Ask a question and have all answer it; the checkpoint covers the decision."""
        self._asked += 1
        nonce = self._asked.to_bytes(16, "big")
        asked = Question("What is it?", ("cup", "two_faces"), Majority(), 8_000, nonce)
        (about,), now_ms = self.ask([asked]), self._machine.time_ms
        seen = [
            Observation(about, 0, 900_000 + n, now_ms, digest(nonce + bytes([n])), 10 * n, 3_000)
            for n in range(len(self._fliers))
        ]
        votes = zip(self._fliers, seen, strict=True)
        self._block([flier.seal(Kind.VOTE, encode(vote)) for flier, vote in votes])
        self.certify()

    def fill(self, entries: int) -> None:
        """Append so many requests that count for nothing, as large as votes, in one block."""
        rest = bytes(_VOTE_BYTES)
        first = self.store.size
        self._block([b"\xff" + (first + n).to_bytes(8, "big") + rest for n in range(entries)])

    def _block(self, requests: Sequence[bytes]) -> None:
        height = self._machine.height + 1
        time_ms = START_MS + height * _STEP_MS
        applied = self._machine.apply(height, time_ms, requests)
        batch = Batch(height, time_ms, tuple(digest(body) for body in requests))
        commit = encode(Commit(0, height, batch.digest()))
        commits = tuple(flier.seal(Kind.CONSENSUS, commit) for flier in self._quorum)
        self.store.append_block(height, applied.entries, encode(commits))
        if height % snapshot.EVERY == 0:
            asked = snapshot.opened(self._machine)
            snapshot.put(self.store, height, snapshot.take(self._machine), asked)

    def certify(self) -> None:
        """Have a quorum cosign the ledger as it is."""
        stated = Checkpoint(self._roster.origin, self.store.size, self.store.root())
        now_s = self._machine.time_ms // 1000
        lines = [
            cosign(stated, flier.cosigner, flier.session.sign, now_s) for flier in self._quorum
        ]
        log_line = self._quorum[0].sign_as_log(stated)
        note = assemble(stated, log_line, lines, len(self._quorum)).encode()
        self.store.put_checkpoint(self.store.height, note)
