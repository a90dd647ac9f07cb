# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Which questions are open on a ledger, with who asked them, for those who come late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from swarm_ledger.encoding import MAX_ENTRY_BYTES
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.cose import parse1
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.chronicle import question_fields
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.voting.poll import OpenQuestion
from swarm_ledger.voting.question import question_id


def open_questions(store: Store, machine: Machine) -> Iterator[dict[str, Any]]:
    """Yield the open questions, in order of opening, as the events had them."""
    for asked in machine.tally.open_questions():
        fields = question_fields(asked.question, asked.opened_ms)
        author = _author(store, machine, asked)
        yield {**fields, "author": author, "result": "opened", "height": asked.height}


def _author(store: Store, machine: Machine, asked: OpenQuestion) -> str | None:
    """Return the name of the operator who signed a question, None if its block was pruned."""
    by_kid = machine.members.at(asked.height).roster.by_kid
    with suppress(Misuse):
        for entry in store.block(asked.height).entries:
            if entry[:1] == bytes([Kind.QUESTION]):
                with suppress(PeerFault):  # others may stand in the same block, and not count
                    token = parse1(entry[1:], limit=MAX_ENTRY_BYTES)
                    if question_id(token.payload) == asked.question_id and token.kid in by_kid:
                        return by_kid[token.kid].name
    return None
