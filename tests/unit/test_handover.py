# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A state that is handed over holds by the roster alone, or it is refused and changes nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.consensus.ready import ALWAYS
from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.scratch import JournalRecord
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client import verify_proof
from swarm_ledger.runtime import handover
from swarm_ledger.runtime.export import find_decision, prove
from swarm_ledger.runtime.handover import MAX_STATE_BYTES, Handed, fill, judge, pack
from swarm_ledger.runtime.keeper import Keeper
from tests.crew import Crew
from tests.histories import History
from tests.pruned import CREW, FIRST, Flown, mark


@pytest.fixture(scope="module")
def flown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flown]:
    made = Flown(tmp_path_factory.mktemp("flown") / "drone_1")
    with pytest.MonkeyPatch.context() as patch:
        made.prune(patch)
    yield made
    made.history.close()


@pytest.fixture(scope="module")
def state(flown: Flown) -> bytes:
    packed = pack(flown.history.store, CREW.trust)
    assert packed is not None
    assert packed[0] == flown.marks[-1]
    return packed[1]


def changed(state: bytes, **fields: Any) -> bytes:
    handed: Handed = decode(state, Handed, limit=MAX_STATE_BYTES)
    return encode(msgspec.structs.replace(handed, **fields))


def test_it_is_taken_up_by_an_empty_ledger(flown: Flown, state: bytes, tmp_path: Path) -> None:
    handed, machine = judge(state, CREW.trust, 0)
    with Store.open(tmp_path / "ledger.db") as store:
        keeper = Keeper(store, CREW.trust)
        keeper.adopt(handed, machine)
        assert (store.base, store.height) == (flown.marks[-1], handed.last)
        verdict = verify_ledger(store, CREW.trust)
        assert verdict.covered == verdict.size == store.size
        assert flown.history.store.root(store.size) == store.root()
        again = Keeper(store, CREW.trust)
        again.resume(pytest.fail)
        assert len(list(again.replay())) == handed.last - handed.height
        assert again.machine.state() == machine.state()
        for height in range(store.height + 1, flown.history.store.height + 1):
            block = flown.history.store.block(height)
            again.machine.follow(height, block.entries)
            store.append_block(height, block.entries, block.certificate)
        assert again.machine.state() == flown.history.machine.state()
        verify_ledger(store, CREW.trust)
        index, _ = find_decision(store, 4)
        verify_proof(Policy.parse(flown.policies[1]), prove(store, index))
        assert pack(store, CREW.trust) is not None


def test_it_takes_the_place_of_an_older_ledger_or_nothing_of_it(
    state: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed, machine = judge(state, CREW.trust, 1)
    history = History(CREW, tmp_path / "drone_1", *FIRST)
    history.block(*history.delegations())
    mark(history)
    store = history.store
    keeper = Keeper(store, CREW.trust)
    keeper.resume(pytest.fail)
    store.journal_append([JournalRecord(seq, 0, "x", b"said") for seq in (1, ALWAYS)])
    vote, other = bytes([Kind.VOTE]) + b"v", bytes([Kind.TICK]) + b"t"
    store.pending_put(b"vote", vote)
    store.pending_put(b"other", other)
    root = store.root()

    def dies(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Store, "snapshot_put", dies)
        with pytest.raises(ZeroDivisionError):
            keeper.adopt(handed, machine)
    assert (store.base, store.height, store.root()) == (0, 1, root)
    assert len(store.journal_read()) == len(store.pending_read()) == 2
    verify_ledger(store, CREW.trust)
    keeper.adopt(handed, machine)
    assert (store.base, store.height) == (handed.height, handed.last)
    assert store.journal_read() == []  # another epoch: nothing of it binds
    assert store.pending_read() == []
    verify_ledger(store, CREW.trust)
    history.close()


def test_within_an_epoch_what_was_said_further_on_still_binds(
    state: bytes, flown: Flown, tmp_path: Path
) -> None:
    handed, machine = judge(state, CREW.trust, 1)
    with Store.open(tmp_path / "ledger.db") as store:
        keeper = Keeper(store, CREW.trust)
        keeper.machine = machine  # one that lags in the same epoch
        said = [JournalRecord(seq, 0, "x", b"said") for seq in (2, handed.last + 1, ALWAYS)]
        store.journal_append(said)
        keeper.adopt(handed, machine)
        assert store.journal_read() == said[1:]


def _kept(state: bytes) -> tuple[handover.Kept, ...]:
    handed: Handed = decode(state, Handed, limit=MAX_STATE_BYTES)
    return handed.kept


def _handed(state: bytes) -> Handed:
    handed: Handed = decode(state, Handed, limit=MAX_STATE_BYTES)
    return handed


def _note_of_two(state: bytes) -> bytes:
    """A checkpoint that one fewer than a quorum cosigned."""
    lines = _handed(state).note.split(b"\n")
    return b"\n".join([*lines[:-2], b""])


def _other_note(state: bytes) -> bytes:
    return _handed(state).note.replace(b"\n", b"\n1", 1)


def _without(state: bytes, kind: Kind) -> tuple[handover.Kept, ...]:
    kept = _kept(state)
    last = max(place for place, one in enumerate(kept) if one.data[0] == kind)
    return kept[:last] + kept[last + 1 :]


def _block(state: bytes, **fields: Any) -> tuple[handover.Whole, ...]:
    first, *rest = _handed(state).blocks
    return (msgspec.structs.replace(first, **fields), *rest)


FORGED: dict[str, Callable[[bytes], bytes]] = {
    "below a quorum": lambda s: changed(s, note=_note_of_two(s)),
    "another tree's checkpoint": lambda s: changed(s, note=_other_note(s)),
    "no checkpoint": lambda s: changed(s, note=b""),
    "no snapshot": lambda s: changed(s, snapshot=b""),
    "another height": lambda s: changed(s, height=_handed(s).height + 1),
    "another place": lambda s: changed(s, first=_handed(s).first + 1),
    "a session less": lambda s: changed(s, kept=_without(s, Kind.SESSION)),
    "a decision less": lambda s: changed(s, kept=_without(s, Kind.DECISION)),
    "a roster less": lambda s: changed(s, kept=_without(s, Kind.ROSTER)),
    "no genesis": lambda s: changed(s, kept=_kept(s)[1:]),
    "an entry twice": lambda s: changed(s, kept=(*_kept(s), _kept(s)[-1])),
    "an entry behind": lambda s: changed(
        s, kept=(*_kept(s), handover.Kept(_handed(s).first, 3, b"\x01"))
    ),
    "a node less": lambda s: changed(s, nodes=_handed(s).nodes[1:]),
    "no nodes": lambda s: changed(s, nodes=()),
    "a node more": lambda s: changed(
        s, nodes=(*_handed(s).nodes, handover.Node(63, 2**53 - 1, bytes(32)))
    ),
    "a certificate of nothing": lambda s: changed(s, blocks=_block(s, certificate=b"\x80")),
    "an entry less in a block": lambda s: changed(
        s, blocks=_block(s, entries=_handed(s).blocks[0].entries[:-1])
    ),
    "no entries": lambda s: changed(s, blocks=_block(s, entries=())),
    "a false decision": lambda s: changed(
        s,
        kept=tuple(
            msgspec.structs.replace(one, height=one.height - 1)
            if one.data[0] == Kind.DECISION
            else one
            for one in _kept(s)
        ),
    ),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_false_state_is_its_givers_fault(state: bytes, what: str) -> None:
    with pytest.raises(PeerFault) as caught:
        judge(FORGED[what](state), CREW.trust, 0)
    assert caught.value.reason == "bad_state"


def test_no_changed_byte_passes(state: bytes) -> None:
    """Or it changes nothing that counts: when a member's session was ordered, within its epoch."""
    rng = random.Random(5)
    expected = judge(state, CREW.trust, 0)[1].state()
    refused = 0
    for _ in range(60):
        data = bytearray(state)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            found = judge(bytes(data), CREW.trust, 0)[1].state()
        except PeerFault:
            refused += 1
        else:
            assert found == expected
    assert refused >= 57


def test_another_swarms_an_older_and_a_large_one_are_refused(
    flown: Flown, state: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PeerFault, match="does not begin with this roster"):
        judge(state, Crew(4, "other").trust, 0)
    with pytest.raises(PeerFault) as caught:
        judge(state, CREW.trust, _handed(state).last)
    assert "and we have" in caught.value.what
    with pytest.raises(PeerFault, match="bytes where at most"):
        judge(bytes(MAX_STATE_BYTES + 1), CREW.trust, 0)
    monkeypatch.setattr(handover, "MAX_STATE_BYTES", len(state) - 1)
    assert pack(flown.history.store, CREW.trust) is None


def test_members_of_an_epoch_that_is_over_can_not_vouch(state: bytes, flown: Flown) -> None:
    """Those of the first roster, all of them liars, cosign a state of the second epoch."""
    from swarm_ledger.ledger.checkpoint import assemble
    from swarm_ledger.ledger.note import NoteSignature
    from swarm_ledger.runtime.doorman import log_checkpoint

    with Store.open(":memory:") as store:
        fill(store, _handed(state))
        stated = log_checkpoint(CREW.roster, store.size, store.root())
    signers = [CREW.identity(name) for name in CREW.names]
    lines = [
        NoteSignature(one.cosigner.name, one.cosigner.key_id, one.cosign(stated, 1))
        for one in signers
    ]
    note = assemble(stated, signers[0].sign_as_log(stated), lines, 3).encode()
    with pytest.raises(PeerFault, match="no known key"):
        judge(changed(state, note=note), CREW.trust, 0)


def test_a_ledger_without_a_snapshot_that_holds_hands_out_nothing(tmp_path: Path) -> None:
    history = History(CREW, tmp_path / "drone_1", *FIRST)
    history.block(*history.delegations())
    assert pack(history.store, CREW.trust) is None
    height = mark(history)
    assert pack(history.store, CREW.trust) is not None
    history.store.snapshot_put(height, b"")
    assert pack(history.store, CREW.trust) is None
    with pytest.raises(NotVerified):
        history.store.begin_at(5, 9, [], [])
    history.close()
