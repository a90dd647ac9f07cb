# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""swarm-ledger audit, reindex and replay, as people and machines call them."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from swarm_ledger.bags.metadata import METADATA
from tests.system.command import call
from tests.tampering import BAG, CAREFUL, NAME, ROSTER, Film

CHROMIUM = shutil.which("chromium")
HOSTILE = "/<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def tampered(folder: Path, how: str) -> Path:
    film = Film.of(BAG)
    CAREFUL[how][0](film)
    return film.write(folder / "bag")


def test_a_clean_bag_passes() -> None:
    said = call("audit", BAG, "--roster", ROSTER)
    assert said.code == 0
    assert "clean" in said.text
    assert "cosigned by" in said.text
    assert "not provable" in said.text
    found = call("audit", BAG, "--root", ROSTER / "root.json", "--json").json
    assert found["clean"]
    (bag,) = found["bags"]
    assert bag["ledger"]["rebuilt"]
    assert [one["rests_on"] for one in bag["decisions"]] == ["ledger"]
    assert not bag["wrong"]
    assert bag["first"] is None


def test_a_tampered_bag_fails_and_says_where(tmp_path: Path) -> None:
    bag = tampered(tmp_path, "a decision's counts")
    said = call("audit", bag, "--roster", ROSTER, "--json")
    assert said.code == 1
    first = said.json["bags"][0]["first"]
    assert (first["reason"], first["topic"]) == ("decision", "/swarm/decisions")
    assert first["file"] == NAME
    assert first["offset"] > 0
    assert first["time_ns"] > 0
    shown = call("audit", bag, "--roster", ROSTER)
    assert shown.code == 1
    assert "not clean" in shown.text
    beside = call("audit", BAG, bag, "--roster", ROSTER)
    assert beside.code == 1


def test_what_cant_be_read_is_two(tmp_path: Path) -> None:
    (tmp_path / "x.mcap").write_bytes(b"\0" * 100)
    said = call("audit", tmp_path / "x.mcap", "--roster", ROSTER)
    assert said.code == 2
    assert "unreadable" in said.text
    assert call("audit", tmp_path / "gone", "--roster", ROSTER).code == 2
    assert call("audit", BAG, "--roster", ROSTER, "--root", ROSTER / "root.json").code == 2


def test_a_bag_is_indexed_anew(tmp_path: Path) -> None:
    bag = Path(shutil.copytree(BAG, tmp_path / "bag"))
    (bag / METADATA).unlink()
    said = call("reindex", bag, "--json")
    assert said.json["messages"] > 100
    assert call("audit", bag, "--roster", ROSTER).code == 0


def test_a_page_runs_nothing_of_a_hostile_bag(tmp_path: Path) -> None:
    film = Film.of(BAG)
    one = film.messages[-1]
    channel = replace(one.channel, topic=HOSTILE, type_name=f"x/msg/{HOSTILE}")
    film.messages.append(replace(one, channel=channel))
    bag = film.write(tmp_path / "<b>bag")
    page = tmp_path / "page.html"
    assert call("audit", bag, "--roster", ROSTER, "--html", page).code == 0
    text = page.read_text()
    assert "<script" not in text
    assert "<img" not in text
    assert "<b>" not in text
    assert not re.search(r"(src|href)=|https?:|url\(", text.replace("onerror=", ""))
    assert "&lt;script&gt;" in text
    assert "default-src 'none'" in text
    assert text.count("<rect") > 20
    if CHROMIUM is None:
        pytest.skip("chromium isn't installed: how a browser takes the page was not tried")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    done = subprocess.run(
        [*command, profile, page.as_uri()], capture_output=True, text=True, timeout=300, check=True
    )
    assert "<title>Audit: clean</title>" in done.stdout
    assert "<svg" in done.stdout
    assert "owned</title>" not in done.stdout
    assert done.stdout.count("<script") == 0


def test_a_replay_repeats_itself() -> None:
    said = call("replay", BAG, "--roster", ROSTER, "--json")
    assert said.code == 0
    assert call("replay", BAG, "--roster", ROSTER, "--json").out == said.out
    found = said.json
    assert not found["differs"]
    assert not found["gap"]
    assert len(found["images"]) == 8
    assert all(one["image_as_told"] for one in found["images"])
    liars = {one["drone"] for one in found["images"] if one["differs"]}
    assert liars == {"drone_2"}
    votes = {one["drone"]: (one["recorded"], one["again"]) for one in found["votes"]}
    assert votes["drone_1"] == ("cup", "cup")
    assert found["decisions"][0]["recorded"] == found["decisions"][0]["again"]
    assert "again" in call("replay", BAG, "--roster", ROSTER).text


def test_only_publishing_has_a_clock() -> None:
    assert call("replay", BAG, "--clock").code == 2
    assert call("replay", BAG, "--publish", "--json").code == 2
