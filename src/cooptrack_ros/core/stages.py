"""The stages of a frame between its queries and its result, on rows of instances (model.md 5, 6)."""

from __future__ import annotations

from torch import Tensor

from ..model.network import CoopTrackNetwork
from ..model.reasoning import replace_newest, shift_history, shift_padding
from .fusion import Observer
from .lifecycle import Instances


def decode(network: CoopTrackNetwork, rows: Instances, bev: Tensor, observe: Observer) -> tuple[Instances, Tensor]:
    """Return the rows as the decoder finds them in the map (1, cells, C), and their scores (N,)."""
    observe('queries', rows)
    decoded = network.decode(bev, rows.semantic[None], rows.embedding[None], rows.ref_points[None])
    observe('decoded', decoded)
    refs = decoded.refs[-1, 0]
    rows = rows.with_(semantic=decoded.feats[-1, 0], ref_points=refs, codes=decoded.boxes[-1, 0],
                      embedding=network.embed_points(refs))
    return rows, decoded.logits[-1, 0].sigmoid().amax(-1)


def reason(network: CoopTrackNetwork, rows: Instances, observe: Observer) -> Instances:
    """Return the rows with motion features, both features enhanced by their histories, and these moved on."""
    rows = rows.with_(motion=network.motion_features(rows.codes, rows.semantic))
    observe('coarse', rows)
    hist_semantic = shift_history(rows.hist_semantic, rows.semantic)
    hist_motion = shift_history(rows.hist_motion, rows.motion)
    padding = shift_padding(rows.hist_padding)
    semantic, motion = network.reason(
        rows.semantic[None], rows.motion[None], hist_semantic[None], hist_motion[None], padding[None],
        rows.embedding[None])
    rows = rows.with_(semantic=semantic[0], motion=motion[0], hist_padding=padding,
                      hist_semantic=replace_newest(hist_semantic, semantic[0]),
                      hist_motion=replace_newest(hist_motion, motion[0]))
    observe('reasoned', rows)
    return rows


def refine(network: CoopTrackNetwork, rows: Instances) -> Instances:
    """Return the rows with the boxes, points and classes that are reported."""
    logits, codes, refs = network.refine(rows.semantic, rows.motion, rows.ref_points)
    scores, labels = logits.sigmoid().max(-1)
    return rows.with_(ref_points=refs, codes=codes, scores=scores, labels=labels, logits=logits)
