# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""An audit as one page of HTML: no script, nothing from elsewhere, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from swarm_ledger.audit.bag import TIMELINE, BagAudit
from swarm_ledger.audit.findings import Finding, Place
from swarm_ledger.audit.flights import FlightsAudit
from swarm_ledger.audit.unprovable import unprovable

_LANE, _LEFT, _WIDTH = 18, 260, 800
_MOST_LANES = 60
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;
color:#1d2733;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.2rem .6rem;border-bottom:1px solid #d8dee6;vertical-align:top;
overflow-wrap:anywhere}
.ok{color:#0a6b2d}.bad{color:#b3131b}.careful{color:#8a5a00}
svg{width:100%;height:auto;font:11px system-ui,sans-serif}
"""


def page(found: FlightsAudit) -> bytes:
    """Return the page."""
    colour, said = ("ok", "clean") if found.clean else ("bad", "not clean")
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width">',
        f"<title>Audit: {said}</title><style>{_STYLE}</style></head><body>",
        f'<h1>Audit: <span class="{colour}">{said}</span></h1>',
        *(part for one in found.bags for part in _bag(one)),
        *(
            f'<p class="bad">{_text(str(path))} can\'t be read: {_text(why)}</p>'
            for path, why in found.unreadable
        ),
        *_divergences(found),
        "</body></html>\n",
    ]
    return "\n".join(parts).encode("utf-8", "replace")


def _text(value: str) -> str:
    """Escape for HTML; characters that XML or terminals choke on become visible."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value))


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{_text(one)}</th>" for one in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _bag(one: BagAudit) -> Iterator[str]:
    colour, said = ("ok", "clean") if one.clean else ("bad", "not clean")
    yield f'<h2>{_text(str(one.path))}: <span class="{colour}">{said}</span></h2>'
    seconds = (one.span[1] - one.span[0]) / 1e9
    yield (
        f"<p>Swarm {_text(one.swarm_id)}; {one.messages} messages in {seconds:.1f} s, "
        f"{one.signatures} of them signed; ledger rebuilt to height {max(one.blocks, default=0)}."
        "</p>"
    )
    yield _timeline(one)
    if one.findings:
        yield _table(("", "reason", "what", "where"), map(_finding, one.findings))
    if one.decisions:
        rows = (
            (
                str(number),
                decision.told.subject,
                decision.told.label,
                ", ".join(map(str, decision.told.counts)),
                decision.basis or "nothing",
            )
            for number, decision in sorted(one.decisions.items())
        )
        yield _table(("decision", "about", "label", "votes", "rests on"), rows)
    if one.heads:
        heads = (
            (str(head.size), head.root.hex(), ", ".join(head.signers))
            for _, head in sorted(one.heads.items())
        )
        yield _table(("checkpoint of", "root", "cosigned by"), heads)
    if one.said:
        lines = (
            (signer, topic, said.type_name, str(said.messages), str(said.lost))
            for (signer, topic), said in sorted(one.said.items())
        )
        yield _table(("signer", "topic", "type", "messages", "lost"), lines)
    listed = "".join(f"<li>{_text(what)}</li>" for what in unprovable(one))
    yield f"<p>Not provable from this bag:</p><ul>{listed}</ul>"


def _finding(one: Finding) -> tuple[str, str, str, str]:
    return ("careful" if one.careful else "wrong", one.reason, one.what, _where(one.place))


def _where(place: Place) -> str:
    if place == Place():
        return ""
    if place.number < 0:
        return f"{place.file or place.topic}, byte {place.offset}"
    return f"{place.topic}, {place.log_ns} ns, message {place.number}, byte {place.offset}"


def _divergences(found: FlightsAudit) -> Iterator[str]:
    if found.divergences:
        yield '<h2 class="bad">Where the bags part</h2>'
        rows = (
            (
                one.what,
                f"{one.one}: {_where(one.place)}",
                f"{one.other}: {_where(one.other_place)}",
            )
            for one in found.divergences
        )
        yield _table(("what", "in one", "in the other"), rows)


def _timeline(one: BagAudit) -> str:
    """Draw topics as lanes, messages as marks that are the darker the more they are."""
    lanes = sorted(one.timeline.items())[:_MOST_LANES]
    if not lanes:
        return ""
    most = max(max(counts) for _, counts in lanes) or 1
    height = _LANE * (len(lanes) + 2)
    part = _WIDTH / TIMELINE
    drawn = [
        f'<svg viewBox="0 0 {_LEFT + _WIDTH + 10} {height}" role="img" '
        'aria-label="When messages were recorded, topic by topic; red: what is wrong">'
    ]
    tops = {}
    for row, (topic, counts) in enumerate(lanes):
        top = tops[topic] = _LANE * row + 4
        name = topic if len(topic) <= 40 else topic[:39] + "…"
        drawn.append(
            f'<text x="{_LEFT - 8}" y="{top + 11}" text-anchor="end">{_text(name)}</text>'
        )
        for number, count in enumerate(counts):
            if count:
                shade = 0.25 + 0.75 * count / most
                drawn.append(
                    f'<rect x="{_LEFT + number * part:.1f}" y="{top}" width="{part:.1f}" '
                    f'height="12" fill="#2563a8" fill-opacity="{shade:.2f}"/>'
                )
    drawn += _marks(one, tops)
    end = (one.span[1] - one.span[0]) / 1e9
    low = _LANE * len(lanes) + 20
    drawn.append(f'<text x="{_LEFT}" y="{low}">0 s</text>')
    drawn.append(
        f'<text x="{_LEFT + _WIDTH}" y="{low}" text-anchor="end">{end:.1f} s</text></svg>'
    )
    return "".join(drawn)


def _marks(one: BagAudit, tops: dict[str, int]) -> Iterator[str]:
    first, last = one.span
    for found in one.findings:
        top = tops.get(found.place.topic)
        if top is not None and found.place.number >= 0:
            x = _LEFT + _WIDTH * (found.place.log_ns - first) / max(1, last - first + 1)
            colour = "#b07400" if found.careful else "#c8141d"
            yield (
                f'<circle cx="{min(max(x, _LEFT), _LEFT + _WIDTH):.1f}" cy="{top + 6}" r="5" '
                f'fill="{colour}"><title>{_text(found.reason)}</title></circle>'
            )
