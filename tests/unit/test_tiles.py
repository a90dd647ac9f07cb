# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Tiles: their names, what is in them, and a folder of them that grows with its ledger."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger import merkle
from swarm_ledger.ledger.store import Store
from swarm_ledger.ledger.tile_files import read_bounded, whole_file, write_tiles
from swarm_ledger.ledger.tiles import ENTRIES, Tile, split_bundle, tile_bytes, tiles_of
from tests.laid_open import lay_open
from tests.unit.ledger_swarm import Swarm

SWARM = Swarm()
LEVELS = st.integers(ENTRIES, 63)
INDICES = st.integers(0, 2**55 - 1)


def names(size: int, since: int = 0) -> list[str]:
    return [tile.name for tile in tiles_of(size, since)]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "ledger.db") as opened:
        yield opened


def grow(store: Store, size: int, mark: bytes = b"") -> bytes:
    """Append a block so that the ledger has a size, and certify it."""
    entries = [b"entry %d %s" % (index, mark) for index in range(store.size, size)]
    store.append_block(store.height + 1, entries, b"")
    return SWARM.checkpoint_store(store)


def test_the_specifications_own_examples() -> None:
    assert Tile(0, 1_234_067).name == "tile/0/x001/x234/067"
    sizes = names(70_000)
    assert sum(name.startswith("tile/0/") and ".p/" not in name for name in sizes) == 273
    assert [name for name in sizes if ".p/" in name] == [
        "tile/entries/273.p/112",
        "tile/0/273.p/112",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ]
    assert "tile/1/000" in sizes
    assert names(256) == ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]
    assert names(0) == []


@given(LEVELS, INDICES, st.integers(1, 256))
def test_each_tile_has_one_name(level: int, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert Tile.parse(tile.name) == tile


@pytest.mark.parametrize(
    "name",
    [
        "",
        "checkpoint",
        "tile",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/001",
        "tile/0/x001/x002",
        "tile/0/001/002",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "tile/entries/../../checkpoint",
        "tile/0/%30%30%30",
        "tile/0/000?x",
        "tile/0/" + "x001/" * 6 + "001",
        "tile/0/" + "x001/" * 100_000 + "001",
    ],
)
def test_nothing_else_is_the_name_of_a_tile(name: str) -> None:
    with pytest.raises(Misuse):
        Tile.parse(name)


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_a_log_that_grows_needs_the_tiles_it_did_not_have(one: int, other: int) -> None:
    since, size = sorted((one, other))
    new, before, now = set(names(size, since)), set(names(since)), set(names(size))
    assert new == now - before
    assert all(".p/" in name for name in before - now)


@pytest.mark.slow
def test_tiles_hold_the_tree(store: Store) -> None:
    grow(store, 70_000)
    tops = {}
    for tile in tiles_of(70_000):
        data = tile_bytes(store, tile)
        if tile.level == ENTRIES:
            assert split_bundle(data, tile) == store.entries(tile.first, tile.first + tile.width)
            continue
        hashes = [data[at : at + 32] for at in range(0, len(data), 32)]
        assert len(hashes) == tile.width
        if tile.level:
            assert hashes == [tops[tile.level - 1, tile.first + at] for at in range(tile.width)]
        if not tile.partial:
            tops[tile.level, tile.index] = merkle.root(hashes)
    assert len(tops) == 274
    for tile in (Tile(0, 274), Tile(0, 273), Tile(0, 273, 113), Tile(2, 0, 2), Tile(63, 0, 1)):
        with pytest.raises(Misuse, match="has no tile"):
            tile_bytes(store, tile)


@pytest.mark.parametrize(
    ("damage", "tile"),
    [
        ("UPDATE entries SET data = x'00' WHERE idx = 5", Tile(ENTRIES, 0)),
        ("UPDATE nodes SET hash = zeroblob(32) WHERE level = 4 AND idx = 5", Tile(0, 0)),
        ("UPDATE nodes SET hash = zeroblob(32) WHERE level = 4 AND idx = 5", Tile(ENTRIES, 0)),
        ("DELETE FROM nodes WHERE level = 4 AND idx = 5", Tile(0, 0)),
        ("UPDATE nodes SET hash = zeroblob(32) WHERE level = 8 AND idx = 0", Tile(0, 0)),
        ("UPDATE entries SET data = x'00' WHERE idx = 299", Tile(ENTRIES, 1, 44)),
        ("DELETE FROM entries WHERE idx = 5", Tile(ENTRIES, 0)),
    ],
)
def test_a_damaged_ledger_makes_no_tiles(store: Store, damage: str, tile: Tile) -> None:
    grow(store, 300)
    tile_bytes(store, tile)
    lay_open(store.database._connection)
    store.reread()
    store.database.run(damage)
    with pytest.raises(NotVerified):
        tile_bytes(store, tile)


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=20), st.data())
def test_bundles_are_read_exactly(entries: list[bytes], data: st.DataObject) -> None:
    tile = Tile(ENTRIES, 0, len(entries))
    whole = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
    assert split_bundle(whole, tile) == entries
    for wrong in (whole[: data.draw(st.integers(0, len(whole) - 1))], whole + b"\0", whole * 2):
        with pytest.raises(NotVerified, match="doesn't hold"):
            split_bundle(wrong, tile)


def test_a_folder_is_continued_and_only_new_tiles_are_written(
    store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "tiles"
    before = 0
    for size in (1, 200, 255, 256, 257, 600, 600, 1024, 1100):
        note = grow(store, size) if size > store.size else SWARM.checkpoint_store(store)
        times = {name: (folder / name).stat().st_mtime_ns for name in files(folder)}
        written = write_tiles(store, folder)
        assert (written.size, written.before) == (size, before)
        assert written.tiles == len(names(size, before))
        assert (folder / "checkpoint").read_bytes() == note
        assert {*names(size), "checkpoint"} <= files(folder)
        for name in files(folder) & set(times) - {"checkpoint"}:
            assert (folder / name).stat().st_mtime_ns == times[name], "it was there before"
        before = size
    for name in files(folder) - {"checkpoint"}:
        assert (folder / name).read_bytes() == tile_bytes(store, Tile.parse(name))
    assert not [name for name in files(folder) if ".new" in name]
    full = {name for name in files(folder) if ".p/" not in name}
    assert not [name for name in files(folder) if name.split(".p/")[0] in full - {name}]


def test_an_export_that_was_interrupted_is_taken_up(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, replace, left = tmp_path / "tiles", os.replace, 3

    def fails(*paths: Path) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise OSError(28, "No space left on device")
        replace(*paths)

    for size in (300, 700):
        grow(store, size)
        earlier = (folder / "checkpoint").read_bytes() if size == 700 else None
        left = 3
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", fails)
            with pytest.raises(Misuse, match="No space left"):
                write_tiles(store, folder)
        assert not [name for name in files(folder) if ".new" in name]
        if earlier is None:
            assert not (folder / "checkpoint").exists()
        else:
            assert (folder / "checkpoint").read_bytes() == earlier
        write_tiles(store, folder)
        assert set(names(size)) <= files(folder)


def test_what_can_not_be_continued_is_left_alone(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "tiles"
    with pytest.raises(Misuse, match="no cosigned checkpoint yet"):
        write_tiles(store, folder)
    assert not folder.exists()
    grow(store, 300)
    write_tiles(store, folder)
    kept = {name: (folder / name).read_bytes() for name in files(folder)}
    with Store.open(tmp_path / "other.db") as other:
        grow(other, 400, b"other")
        with pytest.raises(Misuse, match="another log"):
            write_tiles(other, folder)
    with Store.open(tmp_path / "short.db") as short:
        grow(short, 200)
        with pytest.raises(Misuse, match="has 300 entries, more than the 200"):
            write_tiles(short, folder)
    assert {name: (folder / name).read_bytes() for name in files(folder)} == kept
    (folder / "checkpoint").write_bytes(b"nonsense")
    with pytest.raises(NotVerified):
        write_tiles(store, folder)
    with pytest.raises(Misuse, match="cannot write"):
        write_tiles(store, tmp_path / "ledger.db")


def test_two_exports_do_not_write_one_folder(store: Store, tmp_path: Path) -> None:
    import fcntl

    grow(store, 3)
    (tmp_path / "tiles").mkdir()
    held = os.open(tmp_path / "tiles", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(Misuse, match="another export"):
        write_tiles(store, tmp_path / "tiles")
    os.close(held)
    assert write_tiles(store, tmp_path / "tiles").tiles == 2


def test_a_checkpoint_of_another_tree_is_not_exported(store: Store, tmp_path: Path) -> None:
    grow(store, 3)
    with Store.open(tmp_path / "other.db") as other:
        note = grow(other, 3, b"other")
    lay_open(store.database._connection)
    with store.transaction():
        store.database.run("UPDATE checkpoints SET note = ?", (note,))
    with pytest.raises(NotVerified, match="another tree"):
        write_tiles(store, tmp_path / "tiles")


def test_files_of_others_are_read_with_care(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"12345")
    assert read_bounded(tmp_path / "plain", 5, "here") == b"12345"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "plain")
    for name, limit in (("plain", 4), ("pipe", 5), ("folder", 5), ("link", 5), ("gone", 5)):
        with pytest.raises(NotVerified, match=r"^here: "):
            read_bounded(tmp_path / name, limit, "here")


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"

    def breaks_off() -> None:
        with whole_file(path) as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        breaks_off()
    assert files(tmp_path) == set()
    with whole_file(path) as file:
        file.write(b"whole")
    assert path.read_bytes() == b"whole"
    shutil.rmtree(path.parent)
    path.parent.write_bytes(b"")
    with pytest.raises(Misuse, match="cannot write"), whole_file(path):
        pass
