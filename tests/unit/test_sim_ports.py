# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Free ports: in a row, not those in use, and none that an outgoing connection may be given."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.sim import ports


def test_ports_in_a_row_below_the_ephemeral_range(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "range").write_text("15000\t60999\n")
    monkeypatch.setattr(ports, "_EPHEMERAL", tmp_path / "range")
    for _ in range(50):
        found = ports.free_ports(5)
        assert found == list(range(found[0], found[0] + 5))
        assert 10_000 <= found[0] <= found[-1] < 15_000


@pytest.mark.parametrize("said", [None, "", "x y", "1024\t65535"])
def test_a_range_that_cannot_be_read_or_kept_clear_of(
    said: str | None, tmp_path: Path, monkeypatch: Any
) -> None:
    if said is not None:
        (tmp_path / "range").write_text(said)
    monkeypatch.setattr(ports, "_EPHEMERAL", tmp_path / "range")
    assert 10_000 <= ports.free_ports(1)[0] < 32_768


def test_none_that_is_in_use(monkeypatch: Any) -> None:
    (port,) = ports.free_ports(1)
    monkeypatch.setattr(ports, "_LOWEST", port)
    monkeypatch.setattr(ports, "_top", lambda: port + 2)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(Misuse, match="no 1 free"):
        ports.free_ports(1)
    assert ports.free_ports(1) == [port]
