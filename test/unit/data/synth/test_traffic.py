"""Traffic that looks like traffic: nobody drives through anybody, everybody drives smoothly."""

from itertools import combinations

import numpy as np
import pytest

from cooptrack_ros.data.synth.layout import make_layout
from cooptrack_ros.data.synth.traffic import simulate


def discs(agent, pose) -> np.ndarray:
    """Return centres (N, 2) of discs as wide as the body that cover its length."""
    length, width = agent.size[:2]
    along = np.linspace(width / 2 - length / 2, length / 2 - width / 2, max(int(np.ceil(length / width)), 1) + 1)
    return np.stack([pose[0] + along * np.cos(pose[2]), pose[1] + along * np.sin(pose[2])], axis=1)


@pytest.mark.parametrize('seed', [3, 20000])
def test_vehicles_do_not_overlap_and_move_smoothly(seed):
    agents, ego = simulate(make_layout(np.random.default_rng([seed, 1])), seed, 5.0)
    bodies = [a for a in agents if a.kind not in ('Pedestrian', 'TrafficCone')]
    for t in np.arange(0.0, 5.0, 0.5):
        placed = [(a, discs(a, a.pose(t))) for a in bodies if a.alive(t)]
        for (a, spots), (b, others) in combinations(placed, 2):
            gap = np.linalg.norm(spots[:, None] - others[None], axis=-1).min()
            assert gap > (a.size[1] + b.size[1]) / 2 - 0.15, (a.number, b.number, t)
    for agent in bodies:
        if agent.path is not None:
            assert (agent.v >= 0).all() and agent.v.max() < 14.0
            assert np.abs(np.diff(agent.v)).max() <= 0.71
    assert agents[ego].kind in ('Car', 'Van') and agents[ego].number == ego
    assert agents[ego].alive(0.0) and agents[ego].alive(5.0)


def test_scene_has_what_hides_things_and_what_moves():
    layout = make_layout(np.random.default_rng([5, 1]))
    agents, _ = simulate(layout, 5, 1.0)
    kinds = {a.kind for a in agents}
    assert len(layout.buildings) > 8 and {'Car', 'Cyclist', 'Pedestrian'} <= kinds
    assert any(a.path is None for a in agents)


def test_scenes_differ():
    layouts = [make_layout(np.random.default_rng([seed, 1])) for seed in range(20)]
    assert {len(t.arms) for t in layouts} == {3, 4}
    assert len({t.lanes for t in layouts}) == 4
    assert len({round(t.ambient, 6) for t in layouts}) == 20
