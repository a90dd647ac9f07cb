# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Replays the text files of this folder; REWRITE=1 writes down what the replica does now."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.dialogues.script import play

HERE = Path(__file__).parent


@pytest.mark.parametrize("path", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_dialogue(path: Path) -> None:
    text = path.read_text()
    played = play(text)
    if os.environ.get("REWRITE"):
        path.write_text(played)
    else:
        assert played == text


def test_an_answer_that_changed_is_noticed() -> None:
    text = "replica 1 of 4\nsubmit a\nfrom 0 pre-prepare 0 1 a\n> says prepare 0 1 b\n"
    assert play(text) == text.replace("1 b", "1 a")
