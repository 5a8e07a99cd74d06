"""One HTML file about a run that needs nothing else: figures, pictures and a bird's-eye player."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from ..common.figures import figure_text
from ..common.files import write_atomically
from .html_data import player_data
from .html_player import MARKUP, SCRIPT, STYLE

_PAGE_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1b1d21; max-width: 1240px; margin: 24px auto; padding: 0 16px; }
h1 { font-size: 24px; } h2 { font-size: 19px; margin-top: 30px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto; }
th, td { padding: 3px 10px; border-bottom: 1px solid #d5d8dd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; } .hint { color: #555; font-size: 13px; }
"""


@dataclass(frozen=True)
class ReportedResult:
    """
    A result with what was measured on it.

    ``exchange`` is the result itself; ``headline`` has figures of class car by name, ``per_class`` figures by class,
    ``motion`` errors of heading and velocity of cars as they are printed; ``analysis_picture`` shows where it loses.
    """

    label: str
    exchange: Mapping[str, Any]
    headline: Mapping[str, Any]
    per_class: Mapping[str, Mapping[str, Any]]
    motion: Mapping[str, Any]
    analysis_picture: Path


def write_report(path: Path, results: Sequence[ReportedResult], curves_picture: Path,
                 class_name: str = 'car', voxel_pictures: Sequence[Path] = ()) -> None:
    """
    Write the report.

    :param results: of the same frames, at least one; :param curves_picture: a PNG file about all of them.
    :param class_name: whose figures are in the headlines.
    :param voxel_pictures: PNG files of frames as ``voxels.voxel_sheet`` draws them.
    """
    first = results[0].exchange
    frames = sum(len(s['samples']) for s in first['scenes'])
    title = ' and '.join(r.label for r in results) if len(results) < 3 else f'{len(results)} results'
    classes = {f'{r.label}, {name}': row for r in results for name, row in r.per_class.items()}
    sections = [
        f'<h1>Cooperative tracking: {escape(title)}</h1>',
        f'<p>{frames} frames in {len(first["scenes"])} sequences: '
        f'{escape(", ".join(s["scene"] for s in first["scenes"]))}.</p>',
        f'<h2>Figures</h2><p>Class {escape(class_name)}; nuScenes detection and tracking metrics. mAP is the mean over '
        'distances of 0.5, 1, 2 and 4 m; ATE in m, AOE in rad, AVE in m/s; MOTA, recall, IDS, MT, ML, FP and FN at the '
        'score threshold with the best MOTA; HOTA and IDF1 of all reported tracks.</p>',
        _table({r.label: r.headline for r in results}), '<h2>By class</h2>', _table(classes),
        '<h2>Headings and velocities</h2><p>Errors of reported tracks, median / mean: of heading in degrees by how the '
        'object stands to the vehicle, while the vehicle turns, and with opposite headings taken as one; of velocity '
        'in m/s above and up to 2 m/s; and the median of reported by true speed of those that move.</p>',
        _table({r.label: r.motion for r in results}),
        '<h2>Frames</h2>', MARKUP, *_voxels(voxel_pictures),
        '<h2>Curves</h2>', _picture(curves_picture, 'precision, sMOTAr and MOTA over recall'),
        '<h2>Where the loss is</h2><p>All reported tracks of all classes: a track within 2 m of a labelled object of '
        'its class has found it, in order of falling score. An identity is switched if the object was found under '
        'another one before, and that one is gone.</p>',
        *(_picture(r.analysis_picture, f'where {r.label} loses') for r in results)]
    # "<" would let the text of a name end the script element.
    data = json.dumps(player_data({r.label: r.exchange for r in results}), separators=(',', ':'))
    data = data.replace('<', '\\u003c')
    write_atomically(
        path, f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width">\n'
        f'<style>{_PAGE_STYLE}{STYLE}</style></head>\n<body>\n' + '\n'.join(sections) +
        f'\n<script type="application/json" id="data">{data}</script>\n<script>{SCRIPT}</script>\n</body></html>\n')


def _voxels(pictures: Sequence[Path]) -> list[str]:
    """Return the section about voxels, nothing without pictures."""
    if not pictures:
        return []
    return ['<h2>Voxels</h2><p>Each picture: the camera image with the masks of things, the voxels in perspective, and '
            'the last frames from above, forward up. Things have the colour of their identity.</p>',
            *(_picture(path, f'voxels, {path.stem}') for path in pictures)]


def _table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    names = list(next(iter(rows.values())))
    head = ''.join(f'<th>{escape(name)}</th>' for name in ('', *names))
    body = ''.join(
        f'<tr><td>{escape(label)}</td>' + ''.join(f'<td>{figure_text(values.get(n))}</td>' for n in names) + '</tr>'
        for label, values in rows.items())
    return f'<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _picture(path: Path, words: str) -> str:
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{b64encode(path.read_bytes()).decode()}">'
