# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How questions and answers travel: HTTP, ZeroMQ, files; and servers that do anything else."""

from __future__ import annotations

import base64
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import zmq

from swarm_ledger.audit import light_server
from swarm_ledger.audit.light_server import LightServer
from swarm_ledger.audit.tile_server import TileServer
from swarm_ledger.encoding import decode, encode
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.light_client.follower import Forked, load
from swarm_ledger.light_client.messages import (
    MAX_ANSWER_BYTES,
    ByNumber,
    Newest,
    Reason,
    Refusal,
    Request,
)
from swarm_ledger.light_client.policies import check_policy_file
from swarm_ledger.runtime.following import Carrier, ask
from swarm_ledger.runtime.light import export_answer
from swarm_ledger.transport.asking import carrier
from tests.crew import END, Crew
from tests.histories import History
from tests.light import FIRST_FOUR, NOW, PATIENCE_S, decided, prover, serving

CREW = Crew()
ROOT = CREW.anchor[0]
REQUEST = encode(Request(Newest()))
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06ROUTER"


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = decided(CREW, tmp_path / "drone_1")
    yield made
    made.close()


@contextmanager
def served(history: History, scheme: str, **limits: float) -> Iterator[str]:
    answer = prover(history).answer
    server: TileServer | LightServer
    if scheme == "http":
        server = TileServer(history.folder, "127.0.0.1", 0, light=answer, **limits)  # type: ignore[arg-type]
    else:
        server = LightServer(answer, "127.0.0.1", 0, **limits)  # type: ignore[arg-type]
    with serving(server):
        yield server.url


# what should work


@pytest.mark.parametrize("scheme", ["http", "tcp"])
def test_a_ledger_is_followed_over_a_network(
    history: History, tmp_path: Path, scheme: str
) -> None:
    state = tmp_path / "state"
    with served(history, scheme) as url:
        for more in (0, 0, 3):
            if more:
                history.blocks(more)
                history.checkpoint()
            found = ask(carrier(url, PATIENCE_S), ROOT, state, Newest(), NOW)
            assert found.head.checkpoint.size == history.store.size
            assert load(ROOT, state.read_bytes()).checked == found.head.checked
        assert 0 < found.known < history.store.size
        with pytest.raises(NotVerified, match="not found"):
            ask(carrier(url, PATIENCE_S), ROOT, state, ByNumber(7), NOW)


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER], ids=["REQ", "DEALER"])
def test_any_zeromq_client_is_answered(history: History, kind: int) -> None:
    with served(history, "tcp") as url, zmq.Context() as context, context.socket(kind) as client:
        client.setsockopt(zmq.LINGER, 0)
        client.connect(url)
        for _ in range(3):
            client.send(REQUEST)
            assert client.poll(int(PATIENCE_S * 1000))
            assert client.recv_multipart() == [prover(history).answer(REQUEST)]


@pytest.mark.parametrize("kind", [zmq.REP, zmq.ROUTER], ids=["REP", "ROUTER"])
def test_any_zeromq_server_is_asked(history: History, kind: int) -> None:
    with zmq.Context() as context, context.socket(kind) as server:
        server.setsockopt(zmq.LINGER, 1000)
        port = server.bind_to_random_port("tcp://127.0.0.1")

        def serve() -> None:
            *envelope, request = server.recv_multipart()
            server.send_multipart([*envelope, prover(history).answer(request)])

        thread = threading.Thread(target=serve)
        thread.start()
        got = carrier(f"tcp://127.0.0.1:{port}", PATIENCE_S)(REQUEST)
        thread.join(PATIENCE_S)
    assert got == prover(history).answer(REQUEST)


def test_a_file_holds_an_answer_for_who_knows_nothing_or_a_checkpoint(
    history: History, tmp_path: Path
) -> None:
    state, index = tmp_path / "state", history.store.size - 1
    cold = export_answer(prover(history), index)
    size = ask(lambda _: cold, ROOT, state, Newest(), NOW).head.checkpoint.size
    same = export_answer(prover(history), index, size)
    assert ask(lambda _: same, ROOT, state, Newest(), NOW).known == size
    history.blocks(2)
    history.checkpoint()
    later = export_answer(prover(history), index, size)
    assert ask(lambda _: later, ROOT, state, Newest(), NOW).head.checkpoint.size == size + 4
    history.blocks(2)
    history.checkpoint()
    with pytest.raises(Forked):  # it goes on from nothing, and the state does not
        ask(lambda _: export_answer(prover(history), index), ROOT, state, Newest(), NOW)
    with pytest.raises(Misuse, match="does not hold it"):
        export_answer(prover(history), 10**6)


# the state


def test_a_lie_leaves_the_state_as_it_was(history: History, tmp_path: Path) -> None:
    state, old = tmp_path / "state", prover(history).answer(REQUEST)
    history.blocks(1)
    history.checkpoint()
    honest = prover(history).answer
    ask(honest, ROOT, state, Newest(), NOW)
    kept = state.read_bytes()
    with pytest.raises(NotVerified):
        ask(lambda _: old, ROOT, state, Newest(), NOW)
    with pytest.raises(NotVerified):
        ask(honest, ROOT, state, Newest(), END)
    with pytest.raises(Misuse, match="another root"):
        ask(honest, Crew(swarm="other").anchor[0], state, Newest(), NOW)
    assert state.read_bytes() == kept


def test_both_sides_of_a_fork_are_kept(history: History, tmp_path: Path) -> None:
    other = decided(CREW, tmp_path / "liars", *FIRST_FOUR[1:], "drone_1")
    for mark, one in enumerate((history, other)):
        one.blocks(1, mark)
        one.checkpoint()
    state = tmp_path / "state"
    ask(prover(history).answer, ROOT, state, Newest(), NOW)
    with pytest.raises(Forked, match="two logs") as caught:
        ask(prover(other).answer, ROOT, state, Newest(), NOW)
    folder = Path(caught.value.kept)
    assert folder == tmp_path / "state.fork"
    roots = set()
    for side in ("known", "claimed"):
        policy = check_policy_file((folder / f"{side}.policy").read_bytes(), CREW.trust)
        roots.add(policy.check((folder / f"{side}.note").read_bytes()).root)
    assert roots == {history.store.root(), other.store.root()}
    other.blocks(1)
    other.checkpoint()
    with pytest.raises(Forked) as caught:
        ask(prover(other).answer, ROOT, state, Newest(), NOW)
    assert caught.value.kept == str(tmp_path / "state.doubt")
    other.close()


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x84\x01" + bytes(40)], ids=["no", "j", "c"])
def test_a_state_that_is_damaged_is_told(history: History, tmp_path: Path, junk: bytes) -> None:
    state = tmp_path / "state"
    state.write_bytes(junk)
    with pytest.raises(NotVerified) as caught:
        ask(prover(history).answer, ROOT, state, Newest(), NOW)
    assert caught.value.where == "state"
    assert state.read_bytes() == junk


def test_one_client_at_a_time_has_a_state(history: History, tmp_path: Path) -> None:
    state = tmp_path / "state"

    def nested(request: bytes) -> bytes:
        with pytest.raises(Misuse, match="another client"):
            ask(prover(history).answer, ROOT, state, Newest(), NOW)
        return prover(history).answer(request)

    assert ask(nested, ROOT, state, Newest(), NOW).known == 0
    with pytest.raises(Misuse, match="cannot use"):
        ask(nested, ROOT, state / "below", Newest(), NOW)


# servers that lie about what they are


@contextmanager
def pretending(act: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept one connection and do that with it; return the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENCE_S)

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.settimeout(PATIENCE_S)
                act(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(PATIENCE_S)
        listener.close()
        assert not thread.is_alive()


def until_cut(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def dripping(head: bytes) -> Callable[[socket.socket], None]:
    """A byte now and then, before any time-out of a socket."""

    def act(connection: socket.socket) -> None:
        connection.sendall(head)
        connection.settimeout(0.05)
        while True:
            try:
                if not connection.recv(4096):
                    return
            except TimeoutError:
                connection.sendall(b"a")

    return act


def saying(data: bytes) -> Callable[[socket.socket], None]:
    def act(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        until_cut(connection)

    return act


def flooding(head: bytes, body: bytes) -> Callable[[socket.socket], None]:
    def act(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(body)

    return act


HUGE = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
ELSEWHERE = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
LIES: dict[str, tuple[str, Callable[[socket.socket], None], str]] = {
    "http hangs": ("http", until_cut, "no whole answer within"),
    "http drips": ("http", dripping(b"HTTP/1.1 200 OK\r\nX: "), "no whole answer within"),
    "http drips a body": ("http", dripping(HUGE), "no whole answer within"),
    "http floods": ("http", flooding(HUGE, bytes(1 << 16)), "more than"),
    "http redirects": ("http", saying(ELSEWHERE), "elsewhere"),
    "http is busy": ("http", saying(b"HTTP/1.1 503 x\r\n\r\n"), "busy"),
    "http has none": ("http", saying(b"HTTP/1.1 404 x\r\n\r\n"), "serves no light"),
    "http is something else": ("http", saying(b"SSH-2.0-x\r\n\r\n"), "no answer"),
    "http hangs up": ("http", saying(b""), "no answer"),
    "http headers": ("http", saying(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500), "no answer"),
    "zmq hangs": ("tcp", until_cut, "no whole answer within"),
    "zmq drips": ("tcp", dripping(GREETING[:20]), "no whole answer within"),
    "zmq floods": ("tcp", flooding(GREETING + READY, b"\x01\x00" * 4096), "more parts"),
    "zmq large": ("tcp", saying(GREETING + READY + b"\x02" + b"\x01" * 8), "at most"),
    "zmq commands": ("tcp", saying(GREETING + READY + b"\x04\x00" * 99), "nothing but"),
    "zmq flags": ("tcp", saying(GREETING + READY + b"\xff\x00"), "does not have"),
    "zmq of another kind": ("tcp", saying(GREETING + READY[:-6] + b"PUBLIS"), "no socket"),
    "zmq cut short": ("tcp", saying(GREETING + READY + b"\x00\x09abc"), "hung up"),
    "zmq encrypted": ("tcp", saying(GREETING[:12] + b"CURVE" + bytes(47)), "without encryption"),
    "zmq is something else": ("tcp", saying(b"HTTP/1.1 400 Bad\r\n" * 9), "ZMTP"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_is_no_server_of_ours_is_told_in_time(lie: str) -> None:
    scheme, act, words = LIES[lie]
    patience_s = 0.5 if "within" in words else PATIENCE_S
    with pretending(act) as port, pytest.raises(NotVerified, match=words) as caught:
        carrier(f"{scheme}://127.0.0.1:{port}", patience_s)(REQUEST)
    assert caught.value.where == f"{scheme}://127.0.0.1:{port}"


def test_nobody_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    for address in (f"tcp://127.0.0.1:{port}", f"http://127.0.0.1:{port}/log/"):
        with pytest.raises(NotVerified, match="no answer"):
            carrier(address, PATIENCE_S)(REQUEST)


@pytest.mark.parametrize(
    "address",
    [
        *("ftp://host/", "https://host/", "tcp://host", "tcp://host:5/x", "tcp://:5", "http:///x"),
        *("tcp://host:99999", "http://a@host/", "http://host/?x", "http://ho st/", "http://[::1/"),
        *("http://host/\r\nX: y", "tcp://hö:5", "://"),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Misuse, match="cannot ask"):
        carrier(address)


# clients that lie


def get(url: str, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=PATIENCE_S)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_http_requests_are_bounded_and_have_one_form(history: History) -> None:
    coded = base64.urlsafe_b64encode(REQUEST).decode().rstrip("=")
    with served(history, "http") as url:
        assert get(url, f"/light/{coded}") == (200, prover(history).answer(REQUEST))
        assert get(url, f"/light/{coded}", "HEAD") == (200, b"")
        assert get(url, f"/light/{coded}", "POST")[0] == 501
        for wrong in ("a", "%20", "a/b", "a+bb", "aaaa=", "AB"):
            assert get(url, f"/light/{wrong}")[0] == 400, wrong
        assert get(url, "/light/" + "A" * 172)[0] == 414
        status, body = get(url, "/light/AAAA")
        assert status == 200
        assert decode(body, Refusal, limit=1024).reason is Reason.BAD_REQUEST
        assert get(url, "/checkpoint")[0] == 200
    with serving(server := TileServer(history.folder, "127.0.0.1", 0)):
        assert get(server.url, f"/light/{coded}")[0] in (404, 414)  # it answers no light clients


WRONG = {
    "nothing": b"",
    "http": b"GET / HTTP/1.1\r\n\r\n" * 9,
    "half a greeting": GREETING[:30],
    "no handshake": GREETING + b"\x00\x01a",
    "a publisher": GREETING + b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB",
    "parts": GREETING + READY.replace(b"ROUTER", b"DEALER") + b"\x01\x00" * 9000,
    "large": GREETING + READY.replace(b"ROUTER", b"DEALER") + b"\x02" + b"\x01" * 8,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_whoever_speaks_something_else_is_cut_off(history: History, wrong: str) -> None:
    with served(history, "tcp", patience_s=0.5) as url:
        host, port = url.removeprefix("tcp://").split(":")
        stranger = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
        with stranger, suppress(ConnectionError):
            stranger.sendall(WRONG[wrong])
            until_cut(stranger)
        assert carrier(url, PATIENCE_S)(REQUEST) == prover(history).answer(REQUEST)


def test_one_connection_too_many_is_turned_away(history: History) -> None:
    with served(history, "tcp", connections=1) as url:
        host, port = url.removeprefix("tcp://").split(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as first:
            assert first.recv(1) == b"\xff"
            with pytest.raises(NotVerified, match=r"hung up|no answer"):
                carrier(url, PATIENCE_S)(REQUEST)
    assert light_server.MAX_CONNECTIONS == 64


def test_the_largest_answer_is_still_taken() -> None:
    body = bytes(MAX_ANSWER_BYTES)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    whole: Carrier
    with pretending(saying(head + body)) as port:
        whole = carrier(f"http://127.0.0.1:{port}", PATIENCE_S)
        assert whole(REQUEST) == body
    frame = b"\x01\x00\x02" + len(body).to_bytes(8, "big") + body
    with pretending(saying(GREETING + READY + frame)) as port:
        whole = carrier(f"tcp://127.0.0.1:{port}", PATIENCE_S)
        assert whole(REQUEST) == body
