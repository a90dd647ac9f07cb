# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""SDF judged by its own schema, and by sdformat itself where its command is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "models"
SCHEMAS = Path(os.environ.get("SDF_SCHEMAS", "/usr/share/sdformat12/1.9"))

# What Debian's schemas lack: the types and some that they include, and a pose that may have text.
# State, of a world's log, defines model and link a second time, which xmllint refuses.
XSD = "xmlns:xsd='http://www.w3.org/2001/XMLSchema'"
INCLUDED = re.compile(r"schemaLocation='http://sdformat.org/schemas/(\w+)\.xsd'")
NUMBER = r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*"
TYPES = "".join(
    f"<xsd:simpleType name='{name}'><xsd:restriction base='xsd:string'>"
    f"<xsd:pattern value='({NUMBER}){{{count}}}'/></xsd:restriction></xsd:simpleType>"
    for name, count in {"vector2d": 2, "vector3": 3, "color": "3,4", "pose": 6, "time": 2}.items()
)
POSE = (
    "<xsd:include schemaLocation='http://sdformat.org/schemas/types.xsd'/>"
    "<xsd:element name='pose'><xsd:complexType>"
    "<xsd:simpleContent><xsd:extension base='pose'>"
    "<xsd:attribute name='relative_to' type='xsd:string'/>"
    "<xsd:attribute name='degrees' type='xsd:boolean'/>"
    "</xsd:extension></xsd:simpleContent></xsd:complexType></xsd:element>"
)
OURS = {"types": TYPES, "pose": POSE, "state": "<xsd:element name='state'/>"}


def schema_errors(model: Path, folder: Path) -> str:
    """Return what xmllint has against a model, "" if nothing, using no network."""
    theirs = {path.stem: path.read_text() for path in SCHEMAS.glob("*.xsd")}
    for name in {include for text in theirs.values() for include in INCLUDED.findall(text)}:
        ours = OURS.get(name, f"<xsd:element name='{name}'/>")
        whole = f"<xsd:schema {XSD}>{ours}</xsd:schema>"
        text = whole if name in OURS else theirs.get(name, whole)
        (folder / f"{name}.xsd").write_text(text)
    (folder / "root.xsd").write_text(theirs["root"])
    catalog = folder / "catalog.xml"
    catalog.write_text(
        "<catalog xmlns='urn:oasis:names:tc:entity:xmlns:xml:catalog'><rewriteURI uriStartString="
        f"'http://sdformat.org/schemas/' rewritePrefix='{folder.as_uri()}/'/></catalog>"
    )
    done = subprocess.run(
        ["xmllint", "--nonet", "--noout", "--schema", str(folder / "root.xsd"), str(model)],
        env={**os.environ, "XML_CATALOG_FILES": str(catalog)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr if done.returncode else ""


@cache
def checker() -> str:
    """Return the command that has `sdf --check`: Gazebo's, or Debian's for libsdformat 12."""
    for name in ("gz", "ign"):
        if shutil.which(name) is not None:
            tried = subprocess.run([name, "sdf", "--help"], capture_output=True, check=False)
            if not tried.returncode:
                return name
    return ""


def errors(sdf: Path) -> str:
    """Return what sdformat has against a file with all that it includes, "" if nothing."""
    found = {**os.environ, "GZ_SIM_RESOURCE_PATH": str(MODELS), "SDF_PATH": str(MODELS)}
    command = [checker(), "sdf", "--check", str(sdf)]
    done = subprocess.run(
        command, env=found, capture_output=True, text=True, check=False, timeout=120
    )
    return done.stderr if done.returncode else ""


needs_schema = pytest.mark.skipif(
    shutil.which("xmllint") is None or not (SCHEMAS / "root.xsd").exists(),
    reason="needs Debian's libxml2-utils and sdformat-sdf",
)
needs_checker = pytest.mark.skipif(
    not checker(), reason="needs Gazebo's `gz sdf`, or Debian's ignition-tools and libsdformat-dev"
)
