"""Draws many convex faces with depth test: small ones all at once, large ones one by one."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .raster import NEAR, Camera, Canvas, clipped_outline, inside, project, visible_pixels, window_of

THIN_PX = 4.0
CELLS = (4, 8, 16)
DETAIL_BIAS = 1.001


@dataclass
class Faces:
    """
    F convex faces in the scene.

    ``corners`` (F, 8, 3), the last one repeated where a face has fewer; ``normals`` (F, 3) outward;
    ``colours`` (F, 3) final BGR; ``numbers`` (F,) of the objects they belong to; ``detail`` (F,) marks plates
    that vanish when they are thinner than a pixel.
    """

    corners: np.ndarray
    normals: np.ndarray
    colours: np.ndarray
    numbers: np.ndarray
    detail: np.ndarray

    @staticmethod
    def concatenate(sets: list[Faces]) -> Faces:
        """Return all faces of non-empty ``sets``."""
        return Faces(*(np.concatenate([getattr(s, name) for s in sets]) for name in Faces.__dataclass_fields__))


@dataclass
class _Projected:
    """Faces that may be seen: outlines in pixels, planes of inverse depth and its limits."""

    pixels: np.ndarray
    points: np.ndarray
    whole: np.ndarray
    plane: np.ndarray
    limits: np.ndarray
    colours: np.ndarray
    numbers: np.ndarray
    detail: np.ndarray


def draw_faces(canvas: Canvas, camera: Camera, faces: Faces) -> dict[int, int]:
    """Draw faces; return for each object number the pixels of the image that it would cover alone."""
    seen = _project(camera, faces)
    width, height = camera.size
    low = np.maximum(np.floor(seen.pixels.min(1)), 0).astype(np.int64)
    high = np.minimum(np.ceil(seen.pixels.max(1)) + 1, [width, height]).astype(np.int64)
    extent = np.where(seen.whole, (high - low).max(1), max(width, height) + CELLS[-1])
    cover = {}
    small = np.zeros(len(extent), bool)
    for least, cell in zip((0, *CELLS[:-1]), CELLS):
        chosen = np.flatnonzero((extent > least) & (extent <= cell))
        small[chosen] = True
        if len(chosen):
            _draw_small(canvas, seen, chosen, low[chosen], high[chosen], cell, cover)
    outlines = {}
    for k in np.flatnonzero(~small & (extent > 0)):
        outline = seen.pixels[k] if seen.whole[k] else clipped_outline(camera, seen.points[k])
        if outline is not None:
            _draw_large(canvas, seen, k, outline)
            if not seen.detail[k]:
                outlines.setdefault(int(seen.numbers[k]), []).append(outline)
    return _count(canvas, cover, outlines)


def _project(camera: Camera, faces: Faces) -> _Projected:
    """Drop faces seen from behind, outside the image or too thin to matter; project the others."""
    facing = np.flatnonzero(((camera.position - faces.corners[:, 0]) * faces.normals).sum(1) > 0)
    points = camera.to_camera(faces.corners[facing])
    depth = points[..., 2]
    whole = depth.min(1) >= NEAR
    pixels = project(camera, np.where(whole[:, None, None], points, [0.0, 0.0, 1.0]))
    width, height = camera.size
    low, high = pixels.min(1), pixels.max(1)
    on_image = (high > -0.5).all(1) & (low < [width - 0.5, height - 0.5]).all(1)
    tiny = faces.detail[facing] & ((high - low).min(1) < 0.8) & whole
    # Plane n . P = d gives 1 / depth = n . K^-1 (u, v, 1) / d: affine in the pixel.
    normal = faces.normals[facing] @ camera.cam_from_scene[:3, :3].T
    d = (normal * points[:, 0]).sum(1)
    keep = np.where(whole, on_image, depth.max(1) > NEAR) & ~tiny & (np.abs(d) > 1e-6)
    plane = normal[keep] @ np.linalg.inv(camera.intrinsic) / d[keep, None]
    limits = 1.0 / np.maximum(np.stack([depth[keep].max(1), depth[keep].min(1)], axis=1), NEAR)
    index = facing[keep]
    return _Projected(pixels[keep], points[keep], whole[keep], plane, limits.astype(np.float32),
                      faces.colours[index], faces.numbers[index], faces.detail[index])


def _draw_small(canvas: Canvas, seen: _Projected, chosen, low, high, cell: int, cover: dict) -> None:
    """Draw faces that fit into ``cell`` x ``cell`` pixels, all candidates of all faces in one array."""
    grid = np.arange(cell)
    u = low[:, :1] + grid
    v = low[:, 1:] + grid
    mask = ((u < high[:, :1])[:, None, :] & (v < high[:, 1:])[:, :, None])
    mask &= _inside_cells(seen.pixels[chosen], u, v)
    plane = seen.plane[chosen]
    inverse = (plane[:, :1] * u)[:, None, :] + (plane[:, 1:2] * v + plane[:, 2:])[:, :, None]
    limits = seen.limits[chosen]
    inverse = np.clip(inverse.astype(np.float32), limits[:, 0, None, None], limits[:, 1, None, None])
    detail = seen.detail[chosen]
    inverse *= np.where(detail, np.float32(DETAIL_BIAS), np.float32(1.0))[:, None, None]
    face, row, column = np.nonzero(mask)
    place = v[face, row] * canvas.ids.shape[1] + u[face, column]
    depth = inverse[face, row, column]
    solid = ~detail[face]
    cover.setdefault('number', []).append(seen.numbers[chosen][face[solid]])
    cover.setdefault('place', []).append(place[solid])
    nearer = depth > canvas.inverse_depth.ravel()[place]
    # Written in the order of rising inverse depth, the nearest face of each pixel comes last and stays.
    order = np.flatnonzero(nearer)[np.argsort(depth[nearer], kind='stable')]
    place, face = place[order], chosen[face[order]]
    canvas.inverse_depth.reshape(-1)[place] = depth[order]
    canvas.colour.reshape(-1, 3)[place] = seen.colours[face]
    canvas.ids.reshape(-1)[place] = seen.numbers[face]


def _inside_cells(outlines: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """
    Return (F, cell, cell): pixels inside convex outlines (F, 8, 2).

    Thin faces also get the pixels that their outline touches, so that they do not fall between pixel centres.
    """
    origin = np.stack([u[:, 0], v[:, 0]], axis=1)[:, None]
    begin = (outlines - origin).astype(np.float32)
    end = np.roll(begin, -1, axis=1)
    a, b = begin[..., 1] - end[..., 1], end[..., 0] - begin[..., 0]
    c = -(a * begin[..., 0] + b * begin[..., 1])
    area = (begin[..., 0] * end[..., 1] - begin[..., 1] * end[..., 0]).sum(1)
    sign = np.where(area < 0, np.float32(-1), np.float32(1))[:, None]
    thin = (outlines.max(1) - outlines.min(1)).min(1) < THIN_PX
    slack = np.where(thin[:, None], 0.5 * np.maximum(np.abs(a), np.abs(b)), 0.0).astype(np.float32)
    a, b, c = a * sign, b * sign, c * sign + slack
    grid = np.arange(u.shape[1], dtype=np.float32)
    mask = np.ones((len(outlines), len(grid), len(grid)), bool)
    for k in range(outlines.shape[1]):
        mask &= (a[:, k, None] * grid)[:, None, :] >= -(b[:, k, None] * grid + c[:, k, None])[:, :, None]
    return mask


def _draw_large(canvas: Canvas, seen: _Projected, k: int, outline: np.ndarray) -> None:
    window = window_of(canvas, outline)
    if window is None:
        return
    x0, y0, x1, y1 = window
    mask = inside(outline, window, THIN_PX)
    visible = visible_pixels(canvas, window, mask, seen.plane[k], seen.limits[k],
                             DETAIL_BIAS if seen.detail[k] else 1.0)
    canvas.colour[y0:y1, x0:x1][visible] = seen.colours[k]
    canvas.ids[y0:y1, x0:x1][visible] = seen.numbers[k]


def _count(canvas: Canvas, cover: dict, outlines: dict[int, list[np.ndarray]]) -> dict[int, int]:
    """Return the pixels in the union of all faces, small and large, of each object."""
    if not cover:
        number = place = np.zeros(0, np.int64)
    else:
        number, place = np.concatenate(cover['number']).astype(np.int64), np.concatenate(cover['place'])
    own = number > 0
    number, place = number[own], place[own]
    mixed = np.isin(number, list(outlines))
    cells = np.unique(number[~mixed] * canvas.ids.size + place[~mixed])
    found, counts = np.unique(cells // canvas.ids.size, return_counts=True)
    out = dict(zip(found.tolist(), counts.tolist()))
    for n, shapes in outlines.items():
        if n <= 0:
            continue
        mask = np.zeros(canvas.ids.shape, np.uint8)
        mask.reshape(-1)[place[number == n]] = 1
        for shape in shapes:
            cv2.fillConvexPoly(mask, np.round(shape * 16).astype(np.int32), 1, cv2.LINE_8, 4)
        out[n] = cv2.countNonZero(mask)
    return out
