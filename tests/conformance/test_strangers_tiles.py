# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Tiles read by Go: torchwood for policies, checkpoints and tiles, x/mod/sumdb for trees.

The program in stranger/ is built with what go.sum pins, from Go's module proxy or cache.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm_ledger.audit.tile_server import TileServer
from swarm_ledger.ledger.tile_files import write_tiles
from swarm_ledger.light_client.policies import policy_file
from swarm_ledger.runtime.export import sessions_in
from tests.crew import Crew
from tests.histories import History

CREW = Crew()
SOURCE = Path(__file__).parent / "stranger"
BUILD_S = 600
READ_S = 60


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed (apt install golang-go, 1.24 or later)")
    program = tmp_path_factory.mktemp("stranger") / "stranger"
    environment = {**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false"}
    try:
        built = subprocess.run(
            [go, "build", "-o", program, "."],
            cwd=SOURCE,
            env=environment,
            capture_output=True,
            timeout=BUILD_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"Go didn't build the stranger's reader in {BUILD_S} s")
    if built.returncode:
        said = built.stderr.decode()
        assert "# stranger" not in said, said  # our own source must compile
        pytest.skip(f"Go can't get the stranger's libraries: {said.strip().splitlines()[-1]}")
    return program


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    made = History(CREW, tmp_path_factory.mktemp("tiles") / "drone_1", *CREW.names[:3])
    made.block(*made.delegations())
    for _ in range(3):
        made.junk(200)
    made.checkpoint()
    yield made
    made.close()


@pytest.fixture(scope="module")
def policy(history: History, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "policy"
    path.write_bytes(policy_file(sessions_in(history.store, CREW.trust)))
    return path


@pytest.fixture
def tiles(history: History, tmp_path: Path) -> Path:
    write_tiles(history.store, tmp_path / "tiles")
    return tmp_path / "tiles"


def reads(stranger: Path, policy: Path, place: object) -> tuple[int, bytes, str]:
    done = subprocess.run(
        [stranger, policy, str(place)], capture_output=True, timeout=READ_S, check=False
    )
    return done.returncode, done.stdout, done.stderr.decode()


def expected(history: History) -> list[bytes]:
    size = history.store.size
    root = base64.b64encode(history.store.root())
    entries = history.store.entries(0, size)
    return [b"%d %s" % (size, root), *(base64.b64encode(entry) for entry in entries)]


def test_they_read_all_entries_from_our_folder(
    stranger: Path, history: History, policy: Path, tiles: Path
) -> None:
    code, out, err = reads(stranger, policy, tiles)
    assert code == 0, err
    assert out.splitlines() == expected(history)


def test_they_read_a_folder_that_was_continued(stranger: Path, tmp_path: Path) -> None:
    made = History(CREW, tmp_path / "drone", *CREW.names[:3])
    made.block(*made.delegations())
    policy = tmp_path / "policy"
    policy.write_bytes(policy_file(sessions_in(made.store, CREW.trust)))
    for count in (3, 247, 1, 200, 250, 60):
        made.junk(count)
        made.checkpoint()
        write_tiles(made.store, tmp_path / "tiles")
        code, out, err = reads(stranger, policy, tmp_path / "tiles")
        assert code == 0, err
        assert out.splitlines() == expected(made)
    made.close()


def test_they_read_what_we_serve(stranger: Path, history: History, policy: Path) -> None:
    ended = threading.Event()
    server = TileServer(history.folder, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=(ended.is_set,))
    thread.start()
    try:
        code, out, err = reads(stranger, policy, server.url)
        assert code == 0, err
        assert out.splitlines() == expected(history)
    finally:
        ended.set()
        thread.join()


def test_they_refuse_tiles_that_were_tampered_with(
    stranger: Path, policy: Path, tiles: Path
) -> None:
    files = sorted(path for path in tiles.rglob("*") if path.is_file())
    assert len(files) == 8
    for path in files:
        whole = path.read_bytes()
        for place in (0, len(whole) // 2, len(whole) - 2):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            code, _, err = reads(stranger, policy, tiles)
            assert (code, bool(err)) == (1, True), (path, place)
        path.write_bytes(whole)
    assert reads(stranger, policy, tiles)[0] == 0


def test_they_refuse_the_checkpoint_of_a_swarm_that_they_do_not_trust(
    stranger: Path, tiles: Path, tmp_path: Path
) -> None:
    other = History(Crew(swarm="other"), tmp_path / "other", *CREW.names[:3])
    other.block(*other.delegations())
    path = tmp_path / "other policy"
    path.write_bytes(policy_file(sessions_in(other.store, other.crew.trust)))
    other.close()
    assert reads(stranger, path, tiles)[0] == 1
