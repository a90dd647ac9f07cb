# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A ledger served as tiles: what is answered, what is refused, and who is cut off."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from swarm_ledger.audit import bounded_server
from swarm_ledger.audit.tile_server import TileServer
from swarm_ledger.errors import Misuse
from swarm_ledger.ledger.store import Store
from swarm_ledger.ledger.tiles import Tile, tile_bytes, tiles_of
from tests.laid_open import lay_open
from tests.patience import PATIENCE_S
from tests.unit.ledger_swarm import Swarm

SWARM = Swarm()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "ledger.db") as opened:
        grow(opened, 300)
        yield opened


def grow(store: Store, count: int) -> bytes:
    entries = [b"entry %d" % index for index in range(store.size, store.size + count)]
    store.append_block(store.height + 1, entries, b"")
    return SWARM.checkpoint_store(store)


@contextmanager
def serving(folder: Path, **limits: float) -> Iterator[TileServer]:
    ended = threading.Event()
    server = TileServer(folder, "127.0.0.1", 0, **limits)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run, args=(ended.is_set,))
    thread.start()
    try:
        yield server
    finally:
        ended.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def connect(server: TileServer) -> socket.socket:
    return socket.create_connection(server.server_address[:2], timeout=PATIENCE_S)


def ask(
    server: TileServer, path: str, method: str = "GET"
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=PATIENCE_S)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def drained(connection: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    found = b""
    try:
        while more := connection.recv(65_536):
            found += more
    except ConnectionResetError:
        pass
    return found


def test_tiles_and_checkpoint_are_answered_as_the_specification_says(
    store: Store, tmp_path: Path
) -> None:
    with serving(tmp_path) as server:
        status, headers, body = ask(server, "/checkpoint")
        latest = store.latest_checkpoint()
        assert latest is not None
        assert (status, body) == (200, latest.note)
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        assert headers["Cache-Control"] == "no-cache"
        for tile in (*tiles_of(300), Tile(0, 0, 7)):
            status, headers, body = ask(server, f"/{tile.name}")
            assert (status, body) == (200, tile_bytes(store, tile))
            assert headers["Content-Type"] == "application/octet-stream"
            assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        status, headers, body = ask(server, "/tile/0/000", "HEAD")
        assert (status, headers["Content-Length"], body) == (200, "8192", b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("/checkpoint/", 404),
        ("/checkpoint?x=1", 404),
        ("/../ledger.db", 404),
        ("/ledger.db", 404),
        ("/tile/../../../../etc/passwd", 404),
        ("/tile/entries/%2e%2e/checkpoint", 404),
        ("/tile/0/002", 404),
        ("/tile/0/001.p/45", 404),
        ("/tile/0/001", 404),
        ("/tile/63/000.p/1", 404),
        ("/tile/0/x999/999", 404),
        ("/tile/0/" + "x001/" * 5 + "001", 404),
        ("/tile/0/" + "x001/" * 50 + "001", 414),
        ("/" + "a" * 60_000, 414),
        ("/" + "a" * 70_000, 414),
        ("checkpoint", 404),
        ("http://elsewhere/checkpoint", 404),
    ],
)
def test_what_is_no_tile_of_it_is_refused(
    store: Store, tmp_path: Path, path: str, status: int
) -> None:
    with serving(tmp_path) as server:
        assert ask(server, path)[0] == status
        assert ask(server, "/checkpoint")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT"])
def test_it_is_read_only(store: Store, tmp_path: Path, method: str) -> None:
    with serving(tmp_path) as server:
        assert ask(server, "/checkpoint", method)[0] == 501


def test_what_is_not_certified_yet_is_not_served(store: Store, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        store.append_block(store.height + 1, [b"new"], b"")
        assert ask(server, "/tile/entries/001.p/45")[0] == 404
        SWARM.checkpoint_store(store)
        assert ask(server, "/tile/entries/001.p/45")[0] == 200


def test_readers_go_on_while_a_drone_writes(store: Store, tmp_path: Path) -> None:
    wrong: list[object] = []

    def read(server: TileServer) -> None:
        size = 0
        while size < 600:
            status, _, body = ask(server, "/checkpoint")
            if status != 200 or int(body.split(b"\n")[1]) < size:
                wrong.append((status, body))
                return
            size = int(body.split(b"\n")[1])
            last = list(tiles_of(size))[-1]
            status, _, body = ask(server, f"/{last.name}")
            if (status, len(body)) != (200, 32 * last.width):
                wrong.append((status, last, body))

    with serving(tmp_path) as server:
        readers = [threading.Thread(target=read, args=(server,)) for _ in range(4)]
        for reader in readers:
            reader.start()
        for _ in range(100):
            grow(store, 3)
        for reader in readers:
            reader.join(PATIENCE_S)
            assert not reader.is_alive()
    assert wrong == []


def test_a_ledger_that_is_damaged_gone_or_not_certified_yet_is_told(
    store: Store, tmp_path: Path
) -> None:
    lay_open(store.database._connection)
    with serving(tmp_path) as server:
        with store.transaction():
            store.database.run("UPDATE entries SET data = x'00' WHERE idx = 3")
        assert ask(server, "/tile/entries/000")[0] == 500
        assert ask(server, "/checkpoint")[0] == 200
        with store.transaction():
            store.database.run("DELETE FROM checkpoints")
        assert ask(server, "/checkpoint")[0] == 503
        assert ask(server, "/tile/entries/000")[0] == 503
        (tmp_path / "ledger.db").rename(tmp_path / "moved.db")
        assert ask(server, "/checkpoint")[0] == 503
        (tmp_path / "moved.db").rename(tmp_path / "ledger.db")


def test_many_requests_may_come_over_one_connection(store: Store, tmp_path: Path) -> None:
    with serving(tmp_path) as server, connect(server) as client:
        client.sendall(b"GET /checkpoint HTTP/1.1\r\n\r\n" * 3 + b"GET / HTTP/1.1\r\n\r\n")
        said = drained(client)
    assert (said.count(b"HTTP/1.1 200"), said.count(b"HTTP/1.1 404")) == (3, 1)


@pytest.mark.parametrize("sent", [b"", b"GET /checkp", b"GET /checkpoint HTTP/1.1\r\nA: b\r\n"])
def test_who_does_not_finish_asking_is_cut_off(store: Store, tmp_path: Path, sent: bytes) -> None:
    with serving(tmp_path, patience_s=0.3) as server, connect(server) as client:
        client.sendall(sent)
        assert b"200" not in drained(client)
        assert ask(server, "/checkpoint")[0] == 200


def test_who_sends_a_byte_now_and_then_is_cut_off_too(store: Store, tmp_path: Path) -> None:
    """Each byte comes before the socket's time-out, and yet not for ever."""
    with serving(tmp_path, patience_s=1.0) as server, connect(server) as client:
        client.settimeout(0.2)
        client.sendall(b"GET /checkpoint HTTP/1.1\r\n")
        for _ in range(int(PATIENCE_S / 0.2)):
            try:
                assert client.recv(100) == b""
                break
            except TimeoutError:
                client.sendall(b"a")
            except OSError:
                break
        else:
            pytest.fail("it would have gone on for ever")


def test_who_does_not_read_is_cut_off(tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.db") as store:
        for height in range(4):
            store.append_block(height, [bytes([n]) * 65_535 for n in range(64)], b"")
        SWARM.checkpoint_store(store)
    with serving(tmp_path, patience_s=3.0) as server, connect(server) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /tile/entries/000 HTTP/1.1\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
        assert _freed(server, bounded_server.MAX_CONNECTIONS)  # 16 MiB don't fit into any buffer


def _freed(server: TileServer, connections: int) -> bool:
    """Wait until no connection holds a place."""
    for _ in range(connections):
        if not server.slots.acquire(timeout=PATIENCE_S):
            return False
    for _ in range(connections):
        server.slots.release()
    return True


def test_one_connection_too_many_is_turned_away(store: Store, tmp_path: Path) -> None:
    with serving(tmp_path, connections=2) as server:
        with connect(server) as one, connect(server) as two:
            for client in (one, two):
                client.sendall(b"GET /checkpoint HTTP/1.1\r\n\r\n")
                assert client.recv(12) == b"HTTP/1.1 200"
            with connect(server) as third:
                assert drained(third).startswith(b"HTTP/1.1 503 ")
        assert _freed(server, 2)
        assert ask(server, "/checkpoint")[0] == 200


def test_it_ends_though_clients_hold_on(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_server, "GRACE_S", 0.3)
    with serving(tmp_path) as server:
        idle, begun = connect(server), connect(server)
        begun.sendall(b"GET /checkpoint HTTP/1.1\r\n\r\nGET /checkp")
        assert begun.recv(12) == b"HTTP/1.1 200"
    assert drained(idle) == b""
    drained(begun)
    with pytest.raises(ConnectionRefusedError):
        connect(server)


def test_where_it_can_not_listen_is_told(store: Store, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.url == f"http://127.0.0.1:{server.server_address[1]}/"
        with pytest.raises(Misuse, match="cannot listen"):
            TileServer(tmp_path, "127.0.0.1", int(server.server_address[1]))
    with pytest.raises(Misuse, match="cannot listen"):
        TileServer(tmp_path, "no.such.host.invalid", 0)


def test_it_listens_on_ipv6_too(store: Store, tmp_path: Path) -> None:
    try:
        server = TileServer(tmp_path, "::1", 0)
    except Misuse as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert server.url.startswith("http://[::1]:")
    server.server_close()
