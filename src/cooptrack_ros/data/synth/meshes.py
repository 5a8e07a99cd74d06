"""Shapes of objects made of convex blocks and thin plates, in body coordinates (x forward, y left, z from ground)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

GLASS = np.array([70.0, 62.0, 55.0])
RUBBER = np.array([38.0, 36.0, 36.0])
HEADLAMP = np.array([225.0, 240.0, 245.0])
TAILLAMP = np.array([35.0, 30.0, 190.0])
SKIN = np.array([130.0, 165.0, 205.0])
CORNERS = 8


@dataclass
class Mesh:
    """
    Growing list of convex faces, each padded to ``CORNERS`` points.

    ``corners`` holds (8, 3) arrays, ``normals`` (3,), ``colours`` (3,) BGR albedo; ``detail`` marks plates
    on a surface, which may be left out when they are tiny.
    """

    corners: list = field(default_factory=list)
    normals: list = field(default_factory=list)
    colours: list = field(default_factory=list)
    detail: list = field(default_factory=list)

    def add(self, points, normal, colour, detail=False) -> None:
        """Add one convex face with its outward normal."""
        points = np.asarray(points, dtype=np.float64)
        pad = np.repeat(points[-1:], CORNERS - len(points), axis=0)
        self.corners.append(np.concatenate([points, pad]))
        self.normals.append(np.asarray(normal, dtype=np.float64))
        self.colours.append(np.asarray(colour, dtype=np.float64))
        self.detail.append(detail)

    def block(self, x, y, z, colour, top_x=None, top_y=None, bottom=False) -> dict[str, np.ndarray]:
        """
        Add a block with ranges ``x``, ``y``, ``z``; the top may be smaller (a frustum).

        :returns: the side faces by name (4, 3): lower left, lower right, upper right, upper left from outside.
        """
        top_x, top_y = top_x or x, top_y or y
        low = {(i, j): np.array([x[i], y[j], z[0]]) for i in (0, 1) for j in (0, 1)}
        top = {(i, j): np.array([top_x[i], top_y[j], z[1]]) for i in (0, 1) for j in (0, 1)}
        rings = {'front': ((1, 0), (1, 1)), 'rear': ((0, 1), (0, 0)),
                 'left': ((1, 1), (0, 1)), 'right': ((0, 0), (1, 0))}
        faces = {name: np.array([low[a], low[b], top[b], top[a]]) for name, (a, b) in rings.items()}
        faces['top'] = np.array([top[0, 0], top[1, 0], top[1, 1], top[0, 1]])
        if bottom:
            faces['bottom'] = np.array([low[0, 1], low[1, 1], low[1, 0], low[0, 0]])
        for face in faces.values():
            normal = _across(face)
            self.add(face, normal / max(np.linalg.norm(normal), 1e-9), colour)
        return faces

    def plate(self, face, u, v, colour) -> None:
        """Add a plate on a side face: ranges ``u`` (left to right) and ``v`` (up) as shares of the face."""
        normal = _across(face)
        normal = normal / np.linalg.norm(normal)
        points = [(1 - b) * ((1 - a) * face[0] + a * face[1]) + b * ((1 - a) * face[3] + a * face[2])
                  for a, b in ((u[0], v[0]), (u[1], v[0]), (u[1], v[1]), (u[0], v[1]))]
        self.add(np.array(points) + 0.012 * normal, normal, colour, True)

    def disc(self, x, y, z, radius, colour, detail=False) -> None:
        """Add an upright disc seen from both sides (a wheel) at one point."""
        angle = np.arange(CORNERS) * 2 * np.pi / CORNERS + np.pi / 8
        points = np.stack([x + radius * np.cos(angle), np.full(CORNERS, y), z + radius * np.sin(angle)], axis=1)
        self.add(points, (0.0, 1.0, 0.0), colour, detail)
        self.add(points[::-1], (0.0, -1.0, 0.0), colour, detail)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return corners (F, 8, 3), normals (F, 3), colours (F, 3), detail (F,)."""
        return np.array(self.corners), np.array(self.normals), np.array(self.colours), np.array(self.detail)


def _across(face: np.ndarray) -> np.ndarray:
    """Return the cross product of the sides at the first corner of a face; ``np.cross`` of two vectors is slow."""
    (ax, ay, az), (bx, by, bz) = (face[1] - face[0]).tolist(), (face[3] - face[0]).tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def _wheels(mesh: Mesh, places, half_width: float, radius: float, colour) -> None:
    for x in places:
        for side in (-1, 1):
            mesh.block((x - radius * 0.8, x + radius * 0.8),
                       tuple(sorted((side * half_width * 0.72, side * half_width * 0.99))), (0.0, radius), colour)
            mesh.disc(x, side * (half_width + 0.005), radius, radius, colour, True)
            mesh.disc(x, side * (half_width + 0.012), radius, radius * 0.5, colour * 0.5 + 70.0, True)


def _lamps(mesh: Mesh, faces, low: float, high: float) -> None:
    for u in ((0.04, 0.24), (0.76, 0.96)):
        mesh.plate(faces['front'], u, (low, high), HEADLAMP)
        mesh.plate(faces['rear'], u, (low, high), TAILLAMP)
    mesh.plate(faces['rear'], (0.38, 0.62), (low * 0.5, high * 0.75), np.array([150.0, 150.0, 150.0]))
    mesh.plate(faces['front'], (0.3, 0.7), (low * 0.6, low * 0.95), RUBBER)


def _windows(mesh: Mesh, faces, colour, sides=((0.06, 0.48), (0.53, 0.93)), v=(0.15, 0.88)) -> None:
    mesh.plate(faces['front'], (0.06, 0.94), v, colour)
    mesh.plate(faces['rear'], (0.1, 0.9), v, colour)
    for side in ('left', 'right'):
        for u in sides:
            mesh.plate(faces[side], u, v, colour)


def car(size, colours, look) -> Mesh:
    """Return a saloon, hatchback or estate car."""
    length, w, h = size
    mesh, half = Mesh(), w / 2
    main, glass = colours[0], 0.5 * GLASS + 0.3 * colours[1]
    tail = (-0.5, -0.44, -0.34)[look % 3] * length
    belt = 0.56 * h
    mesh.block((-0.44 * length, 0.44 * length), (-half * 0.9, half * 0.9), (0.14, 0.3), RUBBER, bottom=True)
    body = mesh.block((-0.5 * length, 0.5 * length), (-half, half), (0.24, belt), main,
                      (-0.485 * length, 0.47 * length), (-half * 0.95, half * 0.95))
    cabin = mesh.block((max(tail, -0.48 * length), 0.2 * length), (-half * 0.93, half * 0.93), (belt, h), main,
                       (max(tail, -0.48 * length) + 0.09 * length, 0.04 * length), (-half * 0.74, half * 0.74))
    _windows(mesh, cabin, glass)
    _lamps(mesh, body, 0.5, 0.85)
    _wheels(mesh, (-0.3 * length, 0.31 * length), half, 0.32, RUBBER)
    return mesh


def van(size, colours, look) -> Mesh:
    """Return a van: one tall body with a short bonnet."""
    length, w, h = size
    mesh, half = Mesh(), w / 2
    glass = 0.5 * GLASS + 0.3 * colours[1]
    belt = 0.5 * h
    mesh.block((-0.46 * length, 0.46 * length), (-half * 0.9, half * 0.9), (0.15, 0.3), RUBBER, bottom=True)
    body = mesh.block((-0.5 * length, 0.5 * length), (-half, half), (0.26, belt), colours[0],
                      (-0.5 * length, 0.46 * length))
    cabin = mesh.block((-0.5 * length, 0.42 * length), (-half, half), (belt, h), colours[0],
                       (-0.49 * length, 0.26 * length), (-half * 0.88, half * 0.88))
    sides = ((0.05, 0.3), (0.34, 0.62), (0.66, 0.95)) if look % 2 else ()
    mesh.plate(cabin['front'], (0.06, 0.94), (0.12, 0.85), glass)
    mesh.plate(cabin['rear'], (0.1, 0.9), (0.3, 0.85), glass)
    mesh.plate(cabin['left'], (0.05, 0.22), (0.2, 0.85), glass)
    mesh.plate(cabin['right'], (0.78, 0.95), (0.2, 0.85), glass)
    for side in ('left', 'right'):
        for u in sides:
            mesh.plate(cabin[side], u, (0.25, 0.85), glass)
    _lamps(mesh, body, 0.45, 0.8)
    _wheels(mesh, (-0.3 * length, 0.32 * length), half, 0.34, RUBBER)
    return mesh


def truck(size, colours, look) -> Mesh:
    """Return a truck: cab, gap and a cargo box or flat bed."""
    length, w, h = size
    mesh, half = Mesh(), w / 2
    glass = 0.5 * GLASS + 0.3 * colours[1]
    cab = 0.5 * length - 1.9
    mesh.block((-0.49 * length, 0.48 * length), (-half * 0.8, half * 0.8), (0.45, 0.8), RUBBER, bottom=True)
    front = mesh.block((cab, 0.5 * length), (-half * 0.97, half * 0.97), (0.5, min(2.5, h * 0.9)), colours[1],
                       (cab, 0.46 * length))
    mesh.plate(front['front'], (0.06, 0.94), (0.5, 0.88), glass)
    mesh.plate(front['left'], (0.15, 0.7), (0.5, 0.88), glass)
    mesh.plate(front['right'], (0.3, 0.85), (0.5, 0.88), glass)
    mesh.plate(front['front'], (0.04, 0.22), (0.08, 0.24), HEADLAMP)
    mesh.plate(front['front'], (0.78, 0.96), (0.08, 0.24), HEADLAMP)
    height = h
    cargo = mesh.block((-0.5 * length, cab - 0.25), (-half, half), (0.8, height), colours[0])
    for u in ((0.03, 0.16), (0.84, 0.97)):
        mesh.plate(cargo['rear'], u, (0.01, 0.1), TAILLAMP)
    mesh.plate(cargo['rear'], (0.49, 0.51), (0.12, 0.98), RUBBER)
    if look % 2:
        for side in ('left', 'right'):
            mesh.plate(cargo[side], (0.1, 0.9), (0.35, 0.7), colours[2])
    _wheels(mesh, (-0.34 * length, -0.34 * length + 1.05, 0.5 * length - 1.1), half, 0.48, RUBBER)
    return mesh


def bus(size, colours, look) -> Mesh:
    """Return a city bus with a band of windows."""
    length, w, h = size
    mesh, half = Mesh(), w / 2
    glass = 0.5 * GLASS + 0.3 * colours[1]
    mesh.block((-0.48 * length, 0.48 * length), (-half * 0.9, half * 0.9), (0.2, 0.4), RUBBER, bottom=True)
    low = mesh.block((-0.5 * length, 0.5 * length), (-half, half), (0.32, 0.42 * h), colours[0])
    high = mesh.block((-0.5 * length, 0.5 * length), (-half, half), (0.42 * h, h), colours[look % 2 and 2],
                      (-0.495 * length, 0.485 * length), (-half * 0.97, half * 0.97))
    mesh.plate(high['front'], (0.05, 0.95), (0.02, 0.75), glass)
    mesh.plate(high['front'], (0.2, 0.8), (0.82, 0.95), RUBBER)
    mesh.plate(high['rear'], (0.12, 0.88), (0.2, 0.7), glass)
    for side in ('left', 'right'):
        for k in range(6):
            mesh.plate(high[side], (0.03 + k * 0.16, 0.16 + k * 0.16), (0.1, 0.68), glass)
    for u in ((0.2, 0.3), (0.6, 0.7)):
        mesh.plate(low['right'], u, (0.08, 1.0), glass)
    _lamps(mesh, low, 0.25, 0.6)
    _wheels(mesh, (-0.28 * length, 0.34 * length), half, 0.48, RUBBER)
    return mesh


def _person(mesh: Mesh, x, z, height, colours, stride, lean=0.0, arm_reach=0.0) -> None:
    """Add torso, head and arms; the hips are at ``x``, ``z``; ``height`` is that of the upper body."""
    shoulder = x + lean
    top = z + height * 0.66
    mesh.block((x - 0.12, x + 0.12), (-0.2, 0.2), (z, top), colours[0],
               (shoulder - 0.12, shoulder + 0.12), (-0.23, 0.23))
    head = (shoulder + 0.02 - 0.1, shoulder + 0.02 + 0.12)
    face = mesh.block(head, (-0.09, 0.09), (top + 0.03, z + height), SKIN * 0.4 + colours[2] * 0.5)
    mesh.block((head[0] - 0.01, head[1] - 0.06), (-0.1, 0.1), (z + height * 0.86, z + height), colours[2] * 0.8)
    mesh.plate(face['rear'], (0.0, 1.0), (0.2, 1.0), colours[2] * 0.8)
    for side in (-1, 1):
        swing = arm_reach if arm_reach else -side * stride * 0.6
        low, high = (z + 0.02, top) if not arm_reach else (z + height * 0.28, top)
        hand = shoulder + swing
        mesh.block((hand - 0.05, hand + 0.05), tuple(sorted((side * 0.2, side * 0.3))), (low, high), colours[0] * 0.85,
                   (shoulder - 0.06, shoulder + 0.06))


def pedestrian(size, colours, look, phase=0.0) -> Mesh:
    """Return a person; ``phase`` 0..1 is the position in the stride."""
    length, w, h = size
    mesh = Mesh()
    stride = 0.36 * length * np.sin(2 * np.pi * phase)
    hip = 0.48 * h
    for side in (-1, 1):
        foot = side * stride
        mesh.block((foot - 0.1, foot + 0.13), tuple(sorted((side * 0.03, side * 0.17))), (0.0, hip), colours[1],
                   (-0.09, 0.1))
    _person(mesh, 0.0, hip, h - hip, colours, stride)
    if look % 3 == 0:
        mesh.block((-0.26, -0.12), (-0.15, 0.15), (hip + 0.12, h * 0.8), colours[2])
    return mesh


def cyclist(size, colours, look, phase=0.0) -> Mesh:
    """Return a bicycle with its rider."""
    length, w, h = size
    mesh = Mesh()
    radius = 0.34
    for x in (-0.5 * length + radius, 0.5 * length - radius):
        _ring(mesh, x, radius, colours[2] * 0.5 + RUBBER * 0.5)
    front = 0.5 * length - radius
    mesh.block((-0.3, front - 0.12), (-0.04, 0.04), (0.42, 0.5), colours[1], (-0.34, front - 0.14), bottom=True)
    mesh.block((-0.3, -0.22), (-0.04, 0.04), (0.45, 0.86), colours[1])
    mesh.block((front - 0.05, front + 0.02), (-0.04, 0.04), (0.34, 0.98), colours[1], (front - 0.2, front - 0.13))
    mesh.block((front - 0.25, front - 0.13), (-0.5 * w, 0.5 * w), (0.96, 1.02), colours[1], bottom=True)
    _rider(mesh, -0.24, 0.84, h, colours, phase, front - 0.2)
    return mesh


def _rider(mesh: Mesh, seat, hip, h, colours, phase, bar) -> None:
    for side in (-1, 1):
        knee = 0.16 * np.cos(2 * np.pi * phase + (np.pi if side > 0 else 0.0))
        y = tuple(sorted((side * 0.08, side * 0.2)))
        mesh.block((seat + 0.02 + knee * 0.5 + 0.1, seat + 0.2 + knee * 0.5 + 0.1), y,
                   (0.3 + 0.3 * abs(knee), hip), colours[1], (seat - 0.05, seat + 0.2), bottom=True)
    _person(mesh, seat, hip, h - hip, colours, 0.0, 0.16, max(bar - seat - 0.22, 0.12))


def _ring(mesh: Mesh, x, radius, colour) -> None:
    """Add a wheel whose middle one can look through."""
    angle = np.arange(9) * 2 * np.pi / 8
    for a, b in zip(angle[:-1], angle[1:]):
        points = [(x + r * np.cos(t), 0.0, radius + r * np.sin(t))
                  for r, t in ((radius, a), (radius, b), (radius * 0.78, b), (radius * 0.78, a))]
        mesh.add(points, (0.0, 1.0, 0.0), colour)
        mesh.add(points[::-1], (0.0, -1.0, 0.0), colour)
    mesh.block((x - radius, x + radius), (-0.02, 0.02), (radius - 0.02, radius + 0.02), colour)


def motorcyclist(size, colours, look, phase=0.0) -> Mesh:
    """Return a motor scooter with its rider."""
    length, w, h = size
    mesh = Mesh()
    front = 0.5 * length - 0.26
    for x in (-0.5 * length + 0.26, front):
        mesh.block((x - 0.25, x + 0.25), (-0.07, 0.07), (0.0, 0.5), RUBBER, (x - 0.2, x + 0.2))
    mesh.block((-0.5 * length, 0.1), (-0.2, 0.2), (0.35, 0.8), colours[1], (-0.46 * length, 0.0), bottom=True)
    mesh.block((-0.3, 0.3 * length), (-0.17, 0.17), (0.25, 0.42), colours[1], bottom=True)
    shield = mesh.block((0.28 * length, 0.36 * length), (-0.24, 0.24), (0.3, 0.98), colours[1],
                        (0.22 * length, 0.28 * length))
    mesh.plate(shield['front'], (0.35, 0.65), (0.75, 0.95), HEADLAMP)
    mesh.block((0.2 * length, 0.27 * length), (-0.5 * w, 0.5 * w), (0.98, 1.05), RUBBER)
    _rider(mesh, -0.2, 0.78, h, colours, 0.2, 0.3)
    return mesh


def tricyclist(size, colours, look, phase=0.0) -> Mesh:
    """Return a cargo tricycle: rider in front, box behind."""
    length, w, h = size
    mesh = Mesh()
    for side in (-1, 1):
        mesh.disc(-0.28 * length, side * w * 0.48, 0.3, 0.3, RUBBER)
    _ring(mesh, 0.5 * length - 0.3, 0.3, RUBBER)
    tray = mesh.block((-0.5 * length, -0.04 * length), (-0.46 * w, 0.46 * w), (0.4, 0.85 + 0.2 * (look % 2)),
                      colours[1], bottom=True)
    mesh.plate(tray['rear'], (0.05, 0.2), (0.1, 0.3), TAILLAMP)
    mesh.block((-0.1 * length, 0.5 * length - 0.35), (-0.06, 0.06), (0.4, 0.52), colours[1], bottom=True)
    mesh.block((0.5 * length - 0.35, 0.5 * length - 0.25), (-0.05, 0.05), (0.3, 0.98), colours[1],
               (0.5 * length - 0.5, 0.5 * length - 0.4))
    mesh.block((0.5 * length - 0.5, 0.5 * length - 0.4), (-0.3, 0.3), (0.96, 1.02), colours[1])
    _rider(mesh, 0.08 * length, 0.8, h, colours, phase, 0.5 * length - 0.45)
    return mesh


def cone(size, colours, look) -> Mesh:
    """Return a traffic cone."""
    length, w, h = size
    mesh = Mesh()
    mesh.block((-length / 2, length / 2), (-w / 2, w / 2), (0.0, 0.06), colours[1])
    mesh.block((-0.3 * length, 0.3 * length), (-0.3 * w, 0.3 * w), (0.06, h), colours[0],
               (-0.07 * length, 0.07 * length), (-0.07 * w, 0.07 * w))
    return mesh


RIGID = {'Car': car, 'Van': van, 'Truck': truck, 'Bus': bus, 'TrafficCone': cone}
ANIMATED = {'Pedestrian': pedestrian, 'Cyclist': cyclist, 'Motorcyclist': motorcyclist, 'Tricyclist': tricyclist}
STRIDE = {'Pedestrian': 1.5, 'Cyclist': 4.2, 'Motorcyclist': 1e9, 'Tricyclist': 4.2}
PHASES = 12


def stride_step(kind: str, travelled: float) -> int:
    """Return which of ``PHASES`` leg positions an object shows that has moved ``travelled`` metres."""
    return int(np.floor(travelled / STRIDE[kind] * PHASES) % PHASES) if kind in ANIMATED else 0


def object_faces(kind: str, size, colours, look: int, step: int = 0):
    """Return the face arrays of an object; ``step`` is the position of the legs."""
    if kind in RIGID:
        return RIGID[kind](size, colours, look).arrays()
    return ANIMATED[kind](size, colours, look, step / PHASES).arrays()
