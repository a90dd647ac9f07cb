# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The built-in world's targets as Wavefront meshes for Gazebo: what drones see is the same there.

python -m swarm_ledger.sim.meshes models
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from swarm_ledger.errors import Misuse
from swarm_ledger.sim import cups, heads
from swarm_ledger.sim.raster import Floats, Mesh

_SHADES = 6
"""Of each of red, green and blue: a material for each colour that is used."""

_MADE: Mapping[str, tuple[int, Callable[[np.random.Generator], Mesh]]] = {
    "cup": (11, cups.cup),
    "two_faces": (4, heads.two_heads),
}
"""Seeds that draw a plain mug with a handle, and two heads that differ."""


def target(name: str) -> Mesh:
    """Return a target that stands at the origin; KeyError for another name."""
    seed, draw = _MADE[name]
    mesh = draw(np.random.default_rng(seed))
    return mesh.moved(by=(0.0, 0.0, -float(mesh.quads[:, :, 2].min())))


def wavefront(mesh: Mesh, name: str) -> tuple[str, str]:
    """Return a mesh as an OBJ file and the MTL file with its colours, rounded."""
    points, corners = np.unique(
        np.round(mesh.quads.reshape(-1, 3), 4), axis=0, return_inverse=True
    )
    faces = corners.reshape(-1, 4) + 1
    shades = np.round(np.clip(mesh.colours, 0, 1) * (_SHADES - 1)).astype(int)
    used, of_face = np.unique(shades, axis=0, return_inverse=True)
    obj = ["# Made by swarm_ledger.sim.meshes", f"mtllib {name}.mtl", f"o {name}"]
    obj += [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in points]
    mtl = ["# Made by swarm_ledger.sim.meshes"]
    for number, colour in enumerate(used):
        r, g, b = (value / (_SHADES - 1) for value in colour)
        mtl += [f"newmtl c{number}", f"Kd {r:.2f} {g:.2f} {b:.2f}", f"Ka {r:.2f} {g:.2f} {b:.2f}"]
        mtl += ["Ks 0.05 0.05 0.05", "d 1.0"]
        obj.append(f"usemtl c{number}")
        obj += _faces(faces[of_face.reshape(-1) == number])
    return "\n".join(obj) + "\n", "\n".join(mtl) + "\n"


def _faces(quads: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> list[str]:
    """Return quads as faces; at a pole, where two corners are one, they are triangles."""
    lines = []
    for quad in quads.tolist():
        corners = [one for i, one in enumerate(quad) if one != quad[i - 1]]
        if len(set(corners)) == len(corners) >= 3:
            lines.append("f " + " ".join(map(str, corners)))
    return lines


def read(obj: Path) -> Mesh:
    """Read a mesh that wavefront() wrote; triangles as quads with a corner twice."""
    colours: dict[str, list[float]] = {}
    name = ""
    for line in obj.with_suffix(".mtl").read_text().splitlines():
        key, *rest = line.split()
        if key == "newmtl":
            name = rest[0]
        elif key == "Kd":
            colours[name] = [float(one) for one in rest]
    points: list[list[float]] = []
    quads: list[list[list[float]]] = []
    shades: list[list[float]] = []
    for line in obj.read_text().splitlines():
        key, *rest = line.split()
        if key == "v":
            points.append([float(one) for one in rest])
        elif key == "usemtl":
            name = rest[0]
        elif key == "f":
            corners = [points[int(one) - 1] for one in rest]
            quads.append([*corners, corners[-1]][:4])
            shades.append(colours[name])
    as_floats: Floats = np.array(quads, dtype=np.float32)
    return Mesh(as_floats, np.array(shades, dtype=np.float32))


def write(models: Path) -> list[Path]:
    """Write each target's mesh into its model's folder; Misuse if that can't be."""
    written = []
    for name in _MADE:
        folder = models / name / "meshes"
        texts = wavefront(target(name), name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for suffix, text in zip((".obj", ".mtl"), texts, strict=True):
                path = folder / f"{name}{suffix}"
                path.write_text(text)
                written.append(path)
        except OSError as error:
            raise Misuse(f"cannot write to {folder}: {error.strerror}.") from error
    return written


def main(arguments: list[str]) -> int:
    """Write the meshes into a folder of models; return the exit code."""
    if len(arguments) != 1:
        print("usage: python -m swarm_ledger.sim.meshes MODELS", file=sys.stderr)
        return 2
    try:
        print(*write(Path(arguments[0])), sep="\n")
    except Misuse as error:
        print(error.explain(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
