"""Microscopic traffic: car following, signals, right of way by reservation of conflicting paths."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .agents import Agent, draw_colours, draw_size
from .layout import PARKING_WIDTH, Layout
from .paths import STEP, Path, all_paths, conflicts, walking_path

DT = 0.1
WARM_UP_S = 18.0
LOOK_AHEAD = 40.0
LOOK_STEP = 4  # path points, that is one metre
CLEARING_S = 3.0
WALKER_SPACING = 0.95
TRIES = 8
VEHICLE_KINDS = (('Car', 0.72), ('Van', 0.12), ('Truck', 0.1), ('Bus', 0.06))
BIKE_KINDS = (('Cyclist', 0.84), ('Motorcyclist', 0.09), ('Tricyclist', 0.07))


@dataclass
class _Mover:
    """One body while the simulation runs."""

    number: int
    kind: str
    size: np.ndarray
    colours: np.ndarray
    look: int
    path: Path
    path_index: int
    s: float
    v: float
    wish: float
    headway: float
    granted: bool = False
    log: list = field(default_factory=list)

    @property
    def front(self) -> float:
        return self.s + self.size[0] / 2


def _pick(rng, table) -> str:
    names, weights = zip(*table)
    return str(rng.choice(names, p=np.array(weights) / sum(weights)))


class Simulation:
    """
    Traffic of one scene over ``seconds`` after a warm-up that fills it.

    Vehicles follow their leader by the intelligent driver model. At the stop line they need green light and a
    free way: nobody inside the junction on a conflicting path and nobody walking on a zebra crossing of theirs.
    Body ``stay`` halts before the end of its path instead of leaving the scene.
    """

    def __init__(self, layout: Layout, rng: np.random.Generator, seconds: float, stay: int = -1):
        self.layout, self.rng, self.seconds, self.stay = layout, rng, seconds, stay
        self.paths = {kind: all_paths(layout, kind) for kind in ('vehicle', 'bike')}
        self.flat = self.paths['vehicle'] + self.paths['bike']
        self.conflict = conflicts(self.flat)
        self.green_s = float(rng.uniform(9.0, 16.0))
        self.phase0 = float(rng.uniform(0.0, 2 * (self.green_s + CLEARING_S)))
        self.gap_s = float(rng.uniform(7.0, 15.0))
        self.count = 0
        self.movers: list[_Mover] = []
        self.done: list[_Mover] = []
        self.lanes = {}
        for k, path in enumerate(self.flat):
            self.lanes.setdefault(path.lane, []).append(k)
        self.next_spawn = {lane: float(rng.exponential(self._gap(lane))) for lane in self.lanes}

    def _gap(self, lane) -> float:
        return self.gap_s if lane[0] == 'vehicle' else 2.6 * self.gap_s

    def run(self) -> list[Agent]:
        """Simulate and return all moving agents; time 0 is the end of the warm-up."""
        self._populate()
        steps = int(np.ceil((WARM_UP_S + self.seconds) / DT)) + 4
        for k in range(steps):
            t = k * DT - WARM_UP_S
            self._spawn(t)
            self._grant(t)
            acceleration = self._accelerations()
            for mover, a in zip(self.movers, acceleration):
                mover.log.append((t, mover.s, mover.v))
                v = max(mover.v + a * DT, 0.0)
                mover.s += 0.5 * (mover.v + v) * DT
                mover.v = v
            gone = [m for m in self.movers if m.s > m.path.length]
            self.done += gone
            self.movers = [m for m in self.movers if m.s <= m.path.length]
        return [self._finish(m) for m in sorted(self.done + self.movers, key=lambda m: m.number) if len(m.log) > 1]

    @staticmethod
    def _finish(m: _Mover) -> Agent:
        times, s, v = np.array(m.log).T
        return Agent(m.number, m.kind, m.size, m.colours, m.look, m.path, times, s, v)

    # -- entering -------------------------------------------------------------------------------------------

    def _new(self, kind: str, path_index: int, s: float) -> _Mover:
        path, rng = self.flat[path_index], self.rng
        wish = {'Cyclist': (3.6, 5.2), 'Tricyclist': (3.2, 4.5), 'Motorcyclist': (6.0, 8.0)}.get(kind, (8.0, 12.5))
        mover = _Mover(self.count, kind, draw_size(rng, kind), draw_colours(rng), int(rng.integers(1 << 16)), path,
                       path_index, s, 0.0, float(rng.uniform(*wish)), float(rng.uniform(1.0, 1.7)))
        mover.v = 0.8 * mover.wish
        self.count += 1
        return mover

    def _choose(self, lane) -> tuple[str, int]:
        kind = _pick(self.rng, VEHICLE_KINDS if lane[0] == 'vehicle' else BIKE_KINDS)
        options = self.lanes[lane]
        if kind in ('Truck', 'Bus'):
            # Long bodies cut corners too much; they go straight where one can.
            options = [k for k in options if self.flat[k].turn == 'straight'] or options
            if self.flat[options[0]].turn != 'straight':
                kind = 'Car'
        return kind, int(self.rng.choice(options))

    def _populate(self) -> None:
        for lane in self.lanes:
            s = self.flat[self.lanes[lane][0]].stop - self.rng.uniform(4.0, 40.0 if lane[0] == 'vehicle' else 90.0)
            while s > 8.0:
                mover = self._new(*self._choose(lane), s - 6.0)
                self.movers.append(mover)
                s = mover.s - mover.size[0] / 2 - (self.rng.uniform(12.0, 45.0) if lane[0] == 'vehicle'
                                                   else self.rng.uniform(40.0, 120.0))

    def _spawn(self, t: float) -> None:
        for lane, when in self.next_spawn.items():
            if t + WARM_UP_S < when:
                continue
            nearest = min((m.s - m.size[0] / 2 for m in self.movers if m.path.lane == lane), default=1e9)
            if nearest < 16.0:
                continue  # the entry is full; try again in the next step
            mover = self._new(*self._choose(lane), 0.0)
            mover.v = min(mover.v, 0.35 * nearest)
            self.movers.append(mover)
            self.next_spawn[lane] = t + WARM_UP_S + 1.0 + float(self.rng.exponential(self._gap(lane)))

    # -- right of way ---------------------------------------------------------------------------------------

    def green_axis(self, t: float) -> int:
        """Return the road (0 along x, 1 along y) that has green, or -1 while the junction clears."""
        cycle = self.green_s + CLEARING_S
        u = (t + self.phase0) % (2 * cycle)
        return int(u // cycle) if u % cycle < self.green_s else -1

    def red_left(self, t: float, axis: int) -> float:
        """Return the seconds until road ``axis`` gets green (0 when it has)."""
        if self.green_axis(t) == axis:
            return 0.0
        cycle = self.green_s + CLEARING_S
        return float((axis * cycle - (t + self.phase0)) % (2 * cycle))

    def _inside(self, m: _Mover) -> bool:
        return m.granted and m.s - m.size[0] / 2 < m.path.clear + 1.0

    def _grant(self, t: float) -> None:
        axis = self.green_axis(t)
        holders = [m for m in self.movers if m.path.kind != 'walk' and self._inside(m)]
        walked = {m.path.arms[0] for m in self.movers if m.path.kind == 'walk' and m.granted
                  and m.s < m.path.clear + 0.5}
        waiting = set()
        for m in sorted((m for m in self.movers if not m.granted and np.isfinite(m.path.stop)),
                        key=lambda m: m.path.stop - m.front):
            distance = m.path.stop - m.front
            if m.path.kind == 'walk':
                self._grant_walk(m, t, distance, holders, walked)
                continue
            if m.path.lane in waiting:
                continue
            waiting.add(m.path.lane)
            near = distance < m.v ** 2 / 4.0 + 0.6 * m.v + 5.0
            if (near and m.path.lane[1] % 2 == axis and not walked & set(m.path.arms)
                    and not any(self.conflict[m.path_index, h.path_index] for h in holders)):
                m.granted = True
                holders.append(m)
                waiting.discard(m.path.lane)

    def _grant_walk(self, m, t, distance, holders, walked) -> None:
        arm = m.path.arms[0]
        enough = self.red_left(t, arm % 2) > 6.0
        if distance < 1.0 and enough and not any(arm in h.path.arms for h in holders):
            m.granted = True
            walked.add(arm)

    # -- car following --------------------------------------------------------------------------------------

    def _accelerations(self) -> np.ndarray:
        movers = self.movers
        if not movers:
            return np.zeros(0)
        spots, half_width, speed, yaw = self._spots(movers)
        out = np.zeros(len(movers))
        for k, m in enumerate(movers):
            gap, lead = self._leader(k, m, spots, half_width, speed, yaw)
            limit = m.path.limit[int(min(max(m.s / STEP, 0), len(m.path.limit) - 1))]
            out[k] = _idm(m.v, min(m.wish, limit), gap, lead, m.headway)
            if not m.granted and np.isfinite(m.path.stop):
                line = max(m.path.stop - m.front, 0.01)
                out[k] = min(out[k], _idm(m.v, min(m.wish, limit), line + 1.2, 0.0, 0.6))
            if m.number == self.stay:
                out[k] = min(out[k], _idm(m.v, m.wish, max(m.path.length - 8.0 - m.front, 0.01), 0.0, 1.0))
        return out

    def _spots(self, movers):
        """Return three points per body on its axis (N, 3, 2), half widths, speeds and headings."""
        spots = np.stack([m.path.at(m.s + np.array([-0.48, 0.0, 0.48]) * m.size[0]) for m in movers])
        axis = spots[:, 2] - spots[:, 0]
        yaw = np.arctan2(axis[:, 1], axis[:, 0])
        return spots, np.array([m.size[1] / 2 for m in movers]), np.array([m.v for m in movers]), yaw

    def _leader(self, k, m, spots, half_width, speed, yaw) -> tuple[float, float]:
        """Return the free distance to the next body on the path ahead and its speed along it."""
        if m.path.kind == 'walk':
            return 1e3, 0.0
        near = np.flatnonzero(np.abs(spots[:, 1] - spots[k, 1]).sum(1) < 1.5 * LOOK_AHEAD)
        near = near[near != k]
        if not len(near):
            return 1e3, 0.0
        begin = int(min(max(m.front / STEP, 0), len(m.path.points) - 9))
        ahead = m.path.points[begin:begin + int(LOOK_AHEAD / STEP):LOOK_STEP]
        delta = ahead[:, None, None] - spots[near][None]
        distance = delta[..., 0] ** 2 + delta[..., 1] ** 2
        allowed = (half_width[k] + half_width[near] + 0.25) ** 2
        hit = (distance < allowed[None, :, None]).any(2)
        first = np.where(hit.any(0), hit.argmax(0), len(ahead))
        best = int(first.argmin())
        if first[best] == len(ahead):
            return 1e3, 0.0
        other = near[best]
        # The nearest point of the other body is reached up to one half width later than its circle is touched.
        gap = first[best] * LOOK_STEP * STEP + 0.4
        along = ahead[min(first[best] + 1, len(ahead) - 1)] - ahead[max(first[best] - 1, 0)]
        lead = speed[other] * max(np.cos(yaw[other] - np.arctan2(along[1], along[0])), 0.0)
        return float(gap), float(lead)


def _idm(v: float, wish: float, gap: float, lead: float, headway: float) -> float:
    """Return the acceleration of the intelligent driver model, m/s^2 (Treiber et al. 2000)."""
    a, b, standstill = 1.6, 2.0, 1.8
    wanted = standstill + max(v * headway + v * (v - lead) / (2 * np.sqrt(a * b)), 0.0)
    free = (v / max(wish, 0.1)) ** 4
    return float(min(max(a * (1.0 - free - (wanted / max(gap, 0.1)) ** 2), -7.0), a))


def add_walkers(sim: Simulation, count: int) -> None:
    """Put ``count`` pedestrians on the sidewalks; about half of them cross a road at a zebra crossing."""
    rng, layout = sim.rng, sim.layout
    taken: list[np.ndarray] = []
    for _ in range(count):
        path = next(p for p in (_walk(layout, rng, k == TRIES - 1, taken) for k in range(TRIES)) if p)
        if np.isfinite(path.stop):
            taken.append(path.at(path.stop))
        # Walkers start so early that they are on their way, or waiting, when the recording begins.
        start = rng.uniform(0.0, 0.6 * path.length if not np.isfinite(path.stop) else path.stop)
        mover = _Mover(sim.count, 'Pedestrian', draw_size(rng, 'Pedestrian'), draw_colours(rng),
                       int(rng.integers(1 << 16)), path, -1, float(start), 0.0, float(rng.uniform(0.9, 1.6)), 1.0)
        mover.v = mover.wish
        sim.count += 1
        sim.movers.append(mover)


def _walk(layout: Layout, rng, last: bool, taken: list[np.ndarray]) -> Path | None:
    """Return a random walk; nothing if its waiting place is taken, unless it is the ``last`` try."""
    arm = int(rng.choice(layout.arms))
    sign = float(rng.choice([-1.0, 1.0]))
    offset = layout.edge[arm % 2] + rng.uniform(1.1, max(layout.sidewalk - 0.5, 1.4))
    if rng.random() >= 0.6 or last:
        near, far = layout.stop_distance(arm) - 2.0, layout.stop_distance(arm) + 55.0
        ends = (far, near) if rng.random() < 0.5 else (near, far)
        return walking_path(layout.place(arm, np.array(ends), np.full(2, sign * offset)))
    path = _crossing_path(layout, rng, arm, sign, offset)
    return path if all(np.linalg.norm(path.at(path.stop) - t) > WALKER_SPACING for t in taken) else None


def _crossing_path(layout: Layout, rng, arm: int, sign: float, offset: float) -> Path:
    zebra = layout.zebra_distance(arm) + rng.uniform(-1.3, 1.3)
    begin, end = zebra + rng.uniform(6.0, 40.0), zebra + rng.uniform(15.0, 50.0)
    corners = np.concatenate([
        layout.place(arm, np.array([begin, zebra]), np.full(2, sign * offset)),
        layout.place(arm, np.array([zebra, end]), np.full(2, -sign * offset))])
    kerb = begin - zebra + offset - layout.edge[arm % 2]
    return walking_path(corners, kerb - 0.6, kerb + 2 * layout.edge[arm % 2], arm)


def parked_agents(layout: Layout, rng: np.random.Generator, first_number: int) -> list[Agent]:
    """Return parked cars and vans, and sometimes a row of traffic cones."""
    out = []
    for x, y, yaw in layout.parking:
        kind = _pick(rng, (('Car', 0.7), ('Van', 0.2), ('Truck', 0.1)))
        size = draw_size(rng, kind)
        size[0] = min(size[0], 6.6)
        size[1] = min(size[1], PARKING_WIDTH - 0.2)
        out.append(Agent(first_number + len(out), kind, size, draw_colours(rng), int(rng.integers(1 << 16)),
                         pose_fixed=(float(x), float(y), float(yaw))))
    if rng.random() < 0.35:
        arm, sign = int(rng.choice(layout.arms)), float(rng.choice([-1.0, 1.0]))
        start = layout.stop_distance(arm) + rng.uniform(0.5, 4.0)
        for k in range(int(rng.integers(2, 5))):
            x, y = layout.place(arm, start + 1.6 * k, sign * (layout.edge[arm % 2] - 1.0))
            out.append(Agent(first_number + len(out), 'TrafficCone', draw_size(rng, 'TrafficCone'), draw_colours(rng),
                             0, pose_fixed=(float(x), float(y), float(rng.uniform(-np.pi, np.pi)))))
    return out


def simulate(layout: Layout, seed: int, seconds: float) -> tuple[list[Agent], int]:
    """Return all agents of a scene, moving ones first (``number`` is their index), and the number of the ego."""
    def moving(stay: int) -> list[Agent]:
        sim = Simulation(layout, np.random.default_rng([seed, 2]), seconds, stay)
        add_walkers(sim, int(sim.rng.integers(4, 9)))
        return sim.run()

    agents = moving(-1)
    ego = choose_ego(agents, np.random.default_rng([seed, 3]), seconds)
    if agents[ego].times[-1] < seconds:
        agents = moving(ego)
    agents += parked_agents(layout, np.random.default_rng([seed, 4]), 0)
    return [Agent(**{**a.__dict__, 'number': k}) for k, a in enumerate(agents)], ego


def choose_ego(agents: list[Agent], rng: np.random.Generator, seconds: float) -> int:
    """
    Return the number of the vehicle that carries the ego sensors.

    Wanted: a car or van that approaches the junction, is there for the whole recording and does not stand
    all the time.
    """
    best, chosen = -np.inf, -1
    for agent in agents:
        if agent.path is None or agent.kind not in ('Car', 'Van') or not agent.alive(-0.5):
            continue
        left = min(agent.times[-1] - seconds, 0.0)
        to_line = agent.path.stop - agent.arc(0.0)
        moved = agent.arc(min(seconds, agent.times[-1])) - agent.arc(0.0)
        fit = 10.0 * left - 0.35 * max(22.0 - to_line, 0.0, to_line - 60.0)
        score = fit + 0.09 * min(moved, 8.0 * seconds) + rng.uniform(0.0, 2.0)
        if score > best:
            best, chosen = score, agent.number
    if chosen < 0:
        raise ValueError('the scene has no car that could carry the ego sensors')
    return chosen
