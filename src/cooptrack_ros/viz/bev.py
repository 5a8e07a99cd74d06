"""Bird's-eye view around the ego vehicle: forward is up, left is left."""

from __future__ import annotations

import cv2
import numpy as np

from ..common.colours import ROADSIDE_COLOUR, TRUTH_COLOUR
from ..common.geometry import box_corners, transform_points
from ..common.types import Boxes, Provenance
from .draw import bgr, bgr_of, dashed, fill, polyline, text
from .scene import SceneView

_BACKGROUND = (34, 30, 28)
_RING = (66, 62, 58)
_TRUTH = bgr(TRUTH_COLOUR)
UNIT_COLOUR = bgr(ROADSIDE_COLOUR)
_EGO_SIZE_M = (4.6, 1.9)
_LEGEND_ROW_PX = 21


class BevView:
    """Maps ego lidar coordinates to pixels of a square picture."""

    def __init__(self, size_px: int, reach_m: float):
        """Show ``reach_m`` to every side of the ego vehicle."""
        self.size_px, self.scale = size_px, size_px / (2 * reach_m)
        self.reach_m = reach_m

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Return where points (..., 2 or 3) lie in the picture, (..., 2)."""
        half = self.size_px / 2
        return np.stack([half - points[..., 1] * self.scale, half - points[..., 0] * self.scale], axis=-1)

    def footprint(self, boxes: Boxes) -> np.ndarray:
        """Return the bottom corners in pixels (N, 4, 2): front left, front right, rear right, rear left."""
        return self.pixels(box_corners(boxes)[:, :4])


def draw_bev(scene: SceneView, size_px: int = 900, reach_m: float = 55.0) -> np.ndarray:
    """Return the picture (size, size, 3) BGR of a scene."""
    view = BevView(size_px, reach_m)
    image = np.full((size_px, size_px, 3), _BACKGROUND, np.uint8)
    draw_grid(image, view)
    _sector(image, view, scene)
    _trails(image, view, scene)
    for i in range(len(scene.tracks)):
        _track(image, view, scene.tracks[i:i + 1], Provenance(int(scene.provenance[i])))
    for corners in view.footprint(scene.infra):
        polyline(image, corners, UNIT_COLOUR, 1, closed=True)
    for row, column, affinity in scene.links:
        ends = view.pixels(np.stack([scene.tracks.centre[row], scene.infra.centre[column]]))
        polyline(image, ends, UNIT_COLOUR, 1)
        cv2.circle(image, tuple(int(v) for v in ends[1]), 3, UNIT_COLOUR, -1, cv2.LINE_AA)
        text(image, f'{affinity:.2f}', ends[1] + [6, 12], UNIT_COLOUR, 0.35)
    # Over the tracks: where both agree, nothing else would show that there is ground truth.
    for corners in view.footprint(scene.ground_truth):
        dashed(image, corners, _TRUTH, 1, 4.0)
    _units(image, view, scene)
    draw_ego(image, view)
    _legend(image)
    return image


def draw_grid(image: np.ndarray, view: BevView) -> None:
    """Draw rings of 10 m around the vehicle."""
    centre = (view.size_px // 2, view.size_px // 2)
    for radius in range(10, int(view.reach_m * 1.5), 10):
        cv2.circle(image, centre, int(radius * view.scale), _RING, 1, cv2.LINE_AA)
        if radius < view.reach_m:
            text(image, f'{radius} m', view.pixels(np.array([radius, 0.0])) + [4, 14], (130, 125, 120), 0.38)


def draw_ego(image: np.ndarray, view: BevView) -> None:
    """Draw the vehicle in the middle."""
    length, width = _EGO_SIZE_M
    outline = np.array([[length / 2, 0], [length / 4, width / 2], [-length / 2, width / 2],
                        [-length / 2, -width / 2], [length / 4, -width / 2]])
    fill(image, view.pixels(outline), (255, 255, 255), 1.0)
    text(image, 'ego', view.pixels(np.array([-4.5, 0.0])), size=0.42, centred=True)


def _sector(image: np.ndarray, view: BevView, scene: SceneView) -> None:
    """Draw the ground that the roadside cameras see."""
    for unit in scene.units:
        for camera in unit.cameras:
            ground = seen_ground(camera.img_from_lidar, camera.image.shape)
            fill(image, view.pixels(transform_points(unit.ego_from_infra, ground)), UNIT_COLOUR, 0.10)


def _units(image: np.ndarray, view: BevView, scene: SceneView) -> None:
    """Draw where the units stand; several have their names, the only one needs none."""
    for unit in scene.units:
        place = view.pixels(unit.ego_from_infra[:3, 3])
        cv2.drawMarker(image, tuple(int(v) for v in place), UNIT_COLOUR, cv2.MARKER_TRIANGLE_UP, 16, 2, cv2.LINE_AA)
        text(image, 'roadside unit' if len(scene.units) == 1 else unit.name, place + [0, 20], UNIT_COLOUR, 0.42,
             centred=True)


def seen_ground(img_from_lidar: np.ndarray, shape: tuple[int, ...], ground_z: float = -1.7,
                 farthest_m: float = 90.0) -> np.ndarray:
    """Return the polygon (n, 3) of ground seen by a camera, in its lidar frame."""
    height, width = shape[:2]
    matrix, offset = img_from_lidar[:3, :3], img_from_lidar[:3, 3]
    centre = -np.linalg.solve(matrix, offset)
    corners = []
    for u, v in ((0, height), (width, height), (width, 0), (0, 0)):
        ray = np.linalg.solve(matrix, np.array([u, v, 1.0]))
        down = (ground_z - centre[2]) / ray[2] if ray[2] < -1e-6 else np.inf
        reach = min(down, farthest_m / np.linalg.norm(ray[:2]))
        corners.append(centre + ray * reach)
    return np.array(corners)


def _trails(image: np.ndarray, view: BevView, scene: SceneView) -> None:
    ego_from_world = np.linalg.inv(scene.world_from_ego_lidar)
    for track_id, positions in scene.trails.items():
        if len(positions) > 1:
            polyline(image, view.pixels(transform_points(ego_from_world, positions)), bgr_of(track_id), 1)


def _track(image: np.ndarray, view: BevView, box: Boxes, provenance: Provenance) -> None:
    colour = bgr_of(int(box.track_id[0]))
    corners = view.footprint(box)[0]
    fill(image, corners, colour, 0.35 if provenance is Provenance.EGO else 0.7)
    polyline(image, corners, colour, 2, closed=True)
    if provenance is Provenance.ROADSIDE:
        polyline(image, _grown(corners, 4.0), UNIT_COLOUR, 2, closed=True)
    elif provenance is Provenance.FUSED:
        polyline(image, _grown(corners, 3.0), (255, 255, 255), 1, closed=True)
    nose = (corners[0] + corners[1]) / 2
    polyline(image, np.stack([corners.mean(0), nose]), (255, 255, 255), 1)
    speed = box.velocity[0]
    if np.isfinite(speed).all() and np.hypot(*speed) > 0.5:
        tip = view.pixels(box.centre[0, :2] + speed)
        cv2.arrowedLine(image, tuple(nose.astype(int)), tuple((nose + tip - corners.mean(0)).astype(int)),
                        colour, 1, cv2.LINE_AA, tipLength=0.2)
    text(image, f'{int(box.track_id[0])}', corners.mean(0) + [10, -8], size=0.42)


def _grown(corners: np.ndarray, margin: float) -> np.ndarray:
    """Return corners moved outwards by a margin in pixels along both sides."""
    centre = corners.mean(0)
    along, across = corners[0] - corners[3], corners[0] - corners[1]
    along, across = (v / max(np.linalg.norm(v), 1e-6) for v in (along, across))
    signs = np.sign(np.stack([(corners - centre) @ along, (corners - centre) @ across], axis=-1))
    return corners + margin * (signs[:, :1] * along + signs[:, 1:] * across)


def _legend(image: np.ndarray) -> None:
    """Show a sample of every kind of box in the lower left corner."""
    colour = bgr_of(0)
    rows = (('ground truth', lambda box: dashed(image, box, _TRUTH, 1, 4.0)),
            ('track, seen by ego', lambda box: _sample(image, box, colour, 0.35)),
            ('track, only the roadside unit knows it', lambda box: _sample(image, box, colour, 0.7, UNIT_COLOUR, 2)),
            ('track, fused from both', lambda box: _sample(image, box, colour, 0.7, (255, 255, 255), 1)),
            ('received from the unit; line: association, affinity',
             lambda box: polyline(image, box, UNIT_COLOUR, 1, True)))
    top = image.shape[0] - _LEGEND_ROW_PX * len(rows) - 4
    for y, (words, draw) in enumerate(rows):
        row = top + _LEGEND_ROW_PX * y
        draw(np.array([[14.0, row + 4], [34.0, row + 4], [34.0, row + 13], [14.0, row + 13]]))
        text(image, words, (46, row + 13), (210, 210, 210), 0.4)


def _sample(image: np.ndarray, box: np.ndarray, colour, opacity: float, frame=None, thickness: int = 1) -> None:
    fill(image, box, colour, opacity)
    polyline(image, box, colour, 2, closed=True)
    if frame is not None:
        polyline(image, _grown(box, 3.0), frame, thickness, closed=True)
