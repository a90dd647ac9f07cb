# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The Gazebo models: whole, upright, drawn by our own program, valid to SDF's own schema."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from swarm_ledger.errors import Misuse
from swarm_ledger.sim import rubin
from tests.sdf import MODELS, errors, needs_checker, needs_schema, schema_errors

MODEL = MODELS / "rubin_vase"
TEXTURE = MODEL / "materials" / "textures" / "rubin_vase.png"
ALL = sorted(path.parent for path in MODELS.glob("*/model.config"))


@pytest.fixture(scope="module")
def sdf() -> ElementTree.Element:
    return ElementTree.parse(MODEL / "model.sdf").getroot()


def rotation(pose: str) -> NDArray[np.float64]:
    """Return a pose's rotation matrix: about fixed x, then y, then z (SDF)."""
    roll, pitch, yaw = (float(part) for part in pose.split()[3:])
    (cr, sr), (cp, sp), (cy, sy) = ((math.cos(a), math.sin(a)) for a in (roll, pitch, yaw))
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def test_the_target_is_there() -> None:
    assert MODEL in ALL


@pytest.mark.parametrize("model", ALL, ids=lambda path: path.name)
def test_manifest_names_the_model(model: Path) -> None:
    manifest = ElementTree.parse(model / "model.config").getroot()
    named = manifest.find("sdf")
    assert named is not None
    root = ElementTree.parse(model / str(named.text)).getroot()
    assert root.get("version") == named.get("version") == "1.9"
    assert [element.get("name") for element in root.findall("model")] == [model.name]
    assert manifest.findtext("name")
    assert manifest.findtext("description")


@pytest.mark.parametrize("model", ALL, ids=lambda path: path.name)
def test_everything_a_model_refers_to_exists(model: Path) -> None:
    root = ElementTree.parse(model / "model.sdf").getroot()
    references = [element.text or "" for element in root.iter() if "://" in (element.text or "")]
    assert references or model.name == "quadrotor"  # which is drawn with boxes
    for reference in references:
        scheme, _, path = reference.partition("://")
        assert scheme == "model"
        assert (MODELS / path).is_file(), reference


def test_figure_stands_upright_on_both_sides(sdf: ElementTree.Element) -> None:
    facing = []
    for visual in sdf.iter("visual"):
        turned = rotation(visual.findtext("pose", ""))
        assert visual.findtext("geometry/plane/normal") == "0 0 1"
        assert np.allclose(turned @ [0, 1, 0], [0, 0, 1], atol=1e-6)  # its top is up
        normal = turned @ [0, 0, 1]
        at = [float(part) for part in visual.findtext("pose", "").split()[:3]]
        assert np.dot(at, normal) > 0  # it looks outwards
        facing.append(tuple(np.round(normal).astype(int)))
    assert sorted(facing) == [(-1, 0, 0), (1, 0, 0)]


def test_panel_stands_on_the_ground(sdf: ElementTree.Element) -> None:
    height = float(sdf.findtext("model/link/pose", "").split()[2])
    tall = float(sdf.findtext("model/link/collision/geometry/box/size", "").split()[2])
    sizes = {plane.findtext("size") for plane in sdf.iter("plane")}
    assert height == tall / 2
    assert sizes == {"1 1"}
    assert sdf.findtext("model/static") == "true"


def test_texture_is_what_the_program_draws() -> None:
    stored = cv2.imread(str(TEXTURE), cv2.IMREAD_UNCHANGED)
    assert stored is not None
    assert stored.shape == (rubin.SIZE, rubin.SIZE, 3)
    # Rounding may differ between machines, by one of a pixel's 16 parts.
    assert np.abs(stored.astype(int) - rubin.figure()).max() <= 16


def test_drawing_is_deterministic(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        assert rubin.main([str(tmp_path / name)]) == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_figure_is_a_white_vase_between_two_black_faces() -> None:
    image = rubin.figure(128)[:, :, 0]
    assert np.array_equal(image, image[:, ::-1])  # the faces are the same
    assert (image[:, 64] == 255).all()  # the vase
    assert (image[:, [0, -1]] == 0).all()  # the faces
    width = (image > 127).sum(axis=1)
    noses = int(width.argmin())
    assert 0.3 < noses / 128 < 0.55
    assert width[noses] < 0.15 * 128
    assert width[0] > 4 * width[noses]  # the vase's brim
    assert width[-1] > 4 * width[noses]  # and its foot
    rising = np.diff(width[noses:]) < 0
    lips = np.flatnonzero(np.diff(rising.astype(int)) == 1)
    assert len(lips) >= 2  # below the nose it narrows again: lips and chin


def test_program_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing" / "vase.png"
    with pytest.raises(Misuse, match="cannot write"):
        rubin.write(missing)
    assert rubin.main([str(missing)]) == 2
    assert rubin.main([]) == 2
    assert "cannot write" in (told := capsys.readouterr().err)
    assert "usage:" in told


@needs_schema
@pytest.mark.parametrize("model", ALL, ids=lambda path: path.name)
def test_models_are_valid_to_the_schema(model: Path, tmp_path: Path) -> None:
    assert schema_errors(model / "model.sdf", tmp_path) == ""
    text = (model / "model.sdf").read_text()
    broken = tmp_path / "broken.sdf"
    for tag in ("visual", "geometry"):
        broken.write_text(text.replace(f"<{tag}", f"<x{tag}").replace(f"</{tag}", f"</x{tag}"))
        assert schema_errors(broken, tmp_path), tag


@needs_checker
@pytest.mark.parametrize("model", ALL, ids=lambda path: path.name)
def test_models_are_valid_to_sdformat(model: Path) -> None:
    assert errors(model / "model.sdf") == ""
