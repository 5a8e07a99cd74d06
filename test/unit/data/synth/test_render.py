"""Images agree with the labels' geometry; depth hides; colour tells nothing about the class."""

import numpy as np
import pytest

from cooptrack_ros.common.geometry import make_pose, rotation_xyz
from cooptrack_ros.data.synth.agents import SIZES, Agent, draw_colours, draw_size
from cooptrack_ros.data.synth.faces import Faces, draw_faces
from cooptrack_ros.data.synth.labels import Identities, image_box, seen_agents
from cooptrack_ros.data.synth.meshes import object_faces
from cooptrack_ros.data.synth.raster import Camera, Canvas
from cooptrack_ros.data.synth.render import Sight, body_corners
from cooptrack_ros.data.synth.sensors import CAM_FROM_FORWARD

SIZE = (320, 180)
CLASSES = (('Car', 'Van', 'Truck', 'Bus'), ('Cyclist', 'Motorcyclist', 'Tricyclist'), ('Pedestrian',))


def camera_at(height: float, distance: float = 20.0) -> Camera:
    """Return a camera that looks at the origin from ``distance`` metres behind it."""
    place = np.array([-distance, 0.0, height])
    rotation = CAM_FROM_FORWARD @ rotation_xyz(0.0, np.arctan2(height - 1.0, distance), 0.0).T
    return Camera(np.array([[475.0, 0, 160], [0, 475, 90], [0, 0, 1]]), make_pose(rotation, -rotation @ place), SIZE)


def faces_of(kind, size, colours, pose, number=1, look=1) -> Faces:
    """Return the faces of an object at a pose, lit from above."""
    corners, normals, albedo, detail = object_faces(kind, size, colours, look)
    turn = rotation_xyz(0.0, 0.0, pose[2])
    corners, normals = corners @ turn.T + [pose[0], pose[1], 0.0], normals @ turn.T
    light = 0.5 + 0.4 * np.maximum(normals @ [0.4, 0.3, 0.866], 0.0)
    return Faces(corners, normals, np.clip(albedo * light[:, None], 0, 255), np.full(len(normals), number, np.int16),
                 detail)


@pytest.mark.parametrize('kind', list(SIZES))
@pytest.mark.parametrize('yaw', [0.0, 0.7, 2.5, -1.6])
def test_drawn_object_fills_its_labelled_box(kind, yaw):
    rng = np.random.default_rng(1)
    agent = Agent(0, kind, draw_size(rng, kind), draw_colours(rng), 1, pose_fixed=(0.0, 1.0, yaw))
    camera, canvas = camera_at(4.0, 14.0), Canvas(SIZE)
    alone = draw_faces(canvas, camera, faces_of(kind, agent.size, agent.colours, agent.pose_fixed))[1]
    rows, columns = np.nonzero(canvas.ids == 1)
    drawn = np.array([columns.min(), rows.min(), columns.max(), rows.max()])
    box, _ = image_box(camera, body_corners(agent, agent.pose_fixed))
    assert len(rows) - 2 <= alone <= 1.2 * len(rows) + 5
    slack = 0.28 * (box[2:] - box[:2]).max()
    assert (drawn[:2] >= box[:2] - 1.5).all() and (drawn[2:] <= box[2:] + 1.5).all()
    assert np.abs(drawn - box).max() < slack


def test_nearer_object_hides_the_farther_one_in_any_order():
    colours = draw_colours(np.random.default_rng(2))
    near = faces_of('Truck', np.array([8.0, 2.5, 3.2]), colours, (-6.0, 0.0, 1.57), 1)
    far = faces_of('Pedestrian', np.array([0.6, 0.6, 1.7]), colours, (6.0, 0.0, 0.0), 2)
    images = []
    for order in ([near, far], [far, near]):
        canvas = Canvas(SIZE)
        alone = draw_faces(canvas, camera_at(1.6), Faces.concatenate(order))
        assert alone[2] > 100 and not (canvas.ids == 2).any()
        images.append(canvas.ids)
    assert (images[0] == images[1]).all()


def test_front_and_rear_of_a_car_look_different():
    rng = np.random.default_rng(3)
    size, colours = draw_size(rng, 'Car'), draw_colours(rng)
    reds = []
    for yaw in (0.0, np.pi):
        canvas = Canvas(SIZE)
        draw_faces(canvas, camera_at(1.6), faces_of('Car', size, colours, (0.0, 0.0, yaw)))
        image = canvas.colour.astype(int)
        reds.append(int((image[..., 2] > 2 * image[..., 0] + 40).sum()))
    assert reds[0] > 10 and reds[0] > 3 * reds[1]  # heading away shows the tail lamps


def test_classifier_on_mean_colour_stays_at_chance():
    rng = np.random.default_rng(4)
    colour, label = [], []
    for k, kinds in enumerate(CLASSES):
        for _ in range(160):
            kind = str(rng.choice(kinds))
            canvas, camera = Canvas(SIZE), camera_at(float(rng.choice([1.6, 8.0])))
            draw_faces(canvas, camera, faces_of(kind, draw_size(rng, kind), draw_colours(rng),
                                                (0.0, 0.0, rng.uniform(-np.pi, np.pi)), look=int(rng.integers(99))))
            colour.append(canvas.colour[canvas.ids == 1].mean(0))
            label.append(k)
    colour, label = np.array(colour), np.array(label)
    distance = np.linalg.norm(colour[:, None] - colour[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    votes = label[np.argsort(distance, axis=1)[:, :15]]
    guess = np.array([np.bincount(v, minlength=3).argmax() for v in votes])
    assert (guess == label).mean() < 0.45  # chance is 0.33


def test_label_lasts_five_frames_after_the_last_sight(scene):
    view = scene.vehicle_view(500_000)
    agent = next(a for a in scene.agents if a.number != scene.ego and a.alive(view.t)
                 and np.hypot(*(np.linalg.inv(view.scene_from_lidar) @ [*a.pose(view.t)[:2], 0, 1])[:2]) < 45
                 and image_box(view.camera, body_corners(a, a.pose(view.t))))
    sights = [Sight({agent.number: 500}, {})] + [Sight({agent.number: 0}, {})] * 7
    seen = seen_agents('vehicle', scene.agents, scene.ego, [view] * 8, sights)
    assert [agent.number in row for row in seen] == [True] * 6 + [False] * 2


def test_long_hidden_object_comes_back_under_a_new_identity():
    ids = Identities(9000)
    assert ids.of(4, 0) == '009000' == ids.of(4, 9)
    assert ids.of(5, 9) == '009001'
    assert ids.of(4, 40) == '009002'
