# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Peers in Go: what is built is kept, what can't be is told, and what a client says is counted.

Stand-ins take the places of `go` and of what it builds: nothing is fetched, and no peer runs.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.consensus_performance import OURS, Figures, table
from bench.peers import cometbft, go, nats
from bench.peers.peer import Row, Work

WORK = Work(clients=3, payload=200, seconds=0.5)
CLIENT = """\
import json, sys
print("begin", file=sys.stderr, flush=True)
print("end", file=sys.stderr, flush=True)
print(json.dumps({"seconds": 0.5, "latencies_us": [3000, 1000, 2000, 9000]}))
"""
WAITS = [sys.executable, "-c", "import time; time.sleep(60)"]


def _program(path: Path, text: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder that alone has commands, and a cache with nothing in it."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for cached in (go.server, go.client):
        cached.cache_clear()
    yield folder
    for cached in (go.server, go.client):
        cached.cache_clear()


def _go(tools: Path, text: str) -> None:
    """Have a `go` that notes what it was asked for."""
    note = (
        f"import os, sys, pathlib\nopen({str(tools / 'asked')!r}, 'a').write(sys.argv[1] + ' ')\n"
    )
    _program(tools / "go", note + text)


def test_without_go_it_is_said_what_to_install(tools: Path) -> None:
    for tuned in (False, True):
        assert "apt-get install golang" in cometbft.CometBFT(tuned=tuned).missing()


def test_the_reason_is_the_last_that_go_said(tools: Path) -> None:
    _go(tools, "sys.exit('go: downloading\\ngo: proxy: connection refused')")
    missing = cometbft.CometBFT(tuned=True).missing()
    assert missing == "go can't build it: go: proxy: connection refused"
    assert [path.name for path in (tools.parent / "cache").glob("*/*/*")] == []


def test_a_reason_is_not_sought_again(tools: Path) -> None:
    _go(tools, "sys.exit('no')")
    for _ in range(2):
        assert go.server("example.org/cmd/thing", "v1", "thing").missing
    assert (tools / "asked").read_text() == "install "


def test_what_was_built_is_kept_by_version(tools: Path) -> None:
    _go(tools, "pathlib.Path(os.environ['GOBIN'], 'thing').write_text(sys.argv[2])")
    built = go.server("example.org/cmd/thing", "v1", "thing")
    assert (built.missing, built.path.read_text()) == ("", "example.org/cmd/thing@v1")
    go.server.cache_clear()
    assert go.server("example.org/cmd/thing", "v1", "thing") == built
    assert (tools / "asked").read_text() == "install "
    assert go.server("example.org/cmd/thing", "v2", "thing").path != built.path


def test_what_is_built_at_once_is_built_once(tools: Path) -> None:
    _go(tools, "pathlib.Path(os.environ['GOBIN'], 'thing').write_text(sys.argv[2])")
    with ThreadPoolExecutor() as pool:
        found = set(
            pool.map(lambda _: go.server("example.org/cmd/thing", "v1", "thing"), range(4))
        )
    assert len(found) == 1
    assert (tools / "asked").read_text() == "install "


def _kept(tools: Path) -> list[str]:
    return [path.name for path in (tools.parent / "cache").glob("*/*/*")]


def test_an_interrupted_build_leaves_nothing(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object, place: Path, **__: str) -> None:
        (place / "half").mkdir()
        raise KeyboardInterrupt

    _go(tools, "")
    monkeypatch.setattr(go, "_go", interrupted)
    with pytest.raises(KeyboardInterrupt):
        go.server("example.org/cmd/thing", "v1", "thing")
    assert _kept(tools) == []


def test_what_a_killed_build_left_is_removed_by_the_next_one(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _go(tools, "pathlib.Path(os.environ['GOBIN'], 'thing').write_text(sys.argv[2])")

    def killed(_: object, place: Path, **__: str) -> None:
        (place / "half").write_bytes(b"x")
        os._exit(9)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(go, "_go", killed)
        go.server("example.org/cmd/thing", "v1", "thing")
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    (left,) = _kept(tools)
    assert left.startswith("tmp")
    assert not go.server("example.org/cmd/thing", "v1", "thing").missing
    assert _kept(tools) == ["thing-v1"]


@pytest.mark.parametrize(("library", "asked"), [("", "build "), ("a@v1", "get mod build ")])
def test_a_client_is_kept_by_its_sources(tools: Path, library: str, asked: str) -> None:
    _go(
        tools,
        "if sys.argv[1] == 'build':\n"
        "    assert pathlib.Path('../load/load.go').exists()\n"
        "    pathlib.Path(sys.argv[3]).write_text(pathlib.Path('main.go').read_text())",
    )
    built = go.client("cometbft", library)
    assert "broadcast_tx_commit" in built.path.read_text()
    assert (tools / "asked").read_text() == asked
    assert go.client("etcd", library).path != built.path
    assert go.client("cometbft", "another@v1").path != built.path


def test_the_figures_of_a_run(tmp_path: Path) -> None:
    client = _program(tmp_path / "client", CLIENT)
    found = go.measured([WAITS, WAITS], client, ["127.0.0.1:1"], WORK, tmp_path)
    assert (found["throughput_tps"], found["p50_ms"], found["p99_ms"]) == (8, 3, 9)
    assert found["cpu_us_per_commit"] >= 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import sys; sys.exit('mempool is full')", "ended with 1: mempool is full"),
        ("", "ended with 0: nothing said"),
        (CLIENT + "sys.exit('timed out')", "ended with 1: timed out"),
    ],
)
def test_a_client_that_fails_is_no_figure(tmp_path: Path, text: str, told: str) -> None:
    client = _program(tmp_path / "client", text)
    with pytest.raises(RuntimeError, match=told):
        go.measured([WAITS], client, ["127.0.0.1:1"], WORK, tmp_path)


def test_validators_know_each_other_and_keep_blocks_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = _program(
        tmp_path / "cometbft",
        "import sys, pathlib\n"
        "said = sys.argv[1:]\n"
        "if said[0] == 'testnet':\n"
        "    text = pathlib.Path(said[said.index('--config') + 1]).read_text()\n"
        f"    pathlib.Path({str(tmp_path / 'settings')!r}).write_text(text)\n"
        "else:\n"
        "    print('id-of-' + pathlib.Path(said[-1]).name)",
    )
    seen: list[list[str]] = []

    def measured(commands: list[list[str]], *_: object) -> dict[str, float]:
        seen.extend(commands)
        return {"throughput_tps": 1.0}

    monkeypatch.setattr(go, "server", lambda *_: go.Binary(server))
    monkeypatch.setattr(go, "client", lambda *_: go.Binary(tmp_path))
    monkeypatch.setattr(go, "measured", measured)
    assert cometbft.CometBFT(tuned=True).run(WORK, tmp_path) == {"throughput_tps": 1.0}
    assert "\nskip_timeout_commit = true\n" in (tmp_path / "settings").read_text()
    flags = [dict(zip(one[2::2], one[3::2], strict=True)) for one in seen]
    assert len(flags) == 4
    listening = {flag["--p2p.laddr"].removeprefix("tcp://") for flag in flags}
    for place, flag in enumerate(flags):
        assert flag["--proxy_app"] == "persistent_kvstore"
        peers = [peer.split("@") for peer in flag["--p2p.persistent_peers"].split(",")]
        others = {f"id-of-node{other}" for other in range(4) if other != place}
        assert {name for name, _ in peers} == others
        own = flag["--p2p.laddr"].removeprefix("tcp://")
        assert {at for _, at in peers} == listening - {own}
    assert len({flag["--rpc.laddr"] for flag in flags} | {f"tcp://{at}" for at in listening}) == 8


def test_as_it_comes_nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = _program(tmp_path / "cometbft", "")
    monkeypatch.setattr(go, "server", lambda *_: go.Binary(server))
    monkeypatch.setattr(go, "client", lambda *_: go.Binary(tmp_path))
    monkeypatch.setattr(go, "measured", lambda *_: {})
    cometbft.CometBFT(tuned=False).run(WORK, tmp_path)
    assert (tmp_path / "settings.toml").read_text() == ""


def test_servers_of_a_stream_know_each_other_and_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def measured(
        commands: list[list[str]], _client: Path, places: list[str], *_: object
    ) -> object:
        seen.extend(commands)
        return places

    monkeypatch.setattr(go, "server", lambda *_: go.Binary(tmp_path / "nats-server"))
    monkeypatch.setattr(go, "client", lambda *_: go.Binary(tmp_path / "client"))
    monkeypatch.setattr(go, "measured", measured)
    places = nats.Nats().run(WORK, tmp_path)
    texts = [Path(one[-1]).read_text() for one in seen]
    at = [re.findall(r"listen: ([\d.:]+)", text) for text in texts]
    assert [own for own, _ in at] == places
    assert len({port for pair in at for port in pair}) == 6
    for text, (_, peer) in zip(texts, at, strict=True):
        assert "sync_interval: always" in text
        assert set(re.findall(r"nats://([\d.:]+)", text)) == {other for _, other in at} - {peer}
    assert len({re.findall(r'store_dir: "(.+?)"', text)[0] for text in texts}) == 3


def test_the_table_compares_at_as_many_clients_and_says_why_there_is_no_figure() -> None:
    def row(name: str, clients: int, tps: float, skipped: str = "") -> Row:
        return Row(name, "1 of 4 may lie", True, False, clients, tps, skipped=skipped)

    rows = [row(OURS, 1, 300), row(OURS, 50, 4_000), row("fast", 50, 8_000), row("slow", 1, 0)]
    rows.append(row("absent", 1, 0, "there is no `go`"))
    *_, fast, slow, absent = table(Figures("2 cores", 1, 1.0, 200, 85.0, rows, {}))
    assert "| 8,000 | × 0.50 |" in fast
    assert "not measured: nothing was committed in time" in slow
    assert "not measured: there is no `go`" in absent
