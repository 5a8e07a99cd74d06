"""Pictures show what is where: directions, colours, files."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image
from support.colours import COLOUR_BLIND, least_distance

from cooptrack_ros.cli import main as cli
from cooptrack_ros.common.colours import NUM_COLOURS, identity_colour
from cooptrack_ros.common.geometry import box_corners, project_points
from cooptrack_ros.common.types import Boxes, Provenance
from cooptrack_ros.data.folders import open_dataset
from cooptrack_ros.data.synth import generate
from cooptrack_ros.eval.exchange import ExchangeBuilder
from cooptrack_ros.eval.links import TrackLink
from cooptrack_ros.viz.bev import UNIT_COLOUR, BevView, draw_bev
from cooptrack_ros.viz.draw import bgr_of
from cooptrack_ros.viz.frames import compose
from cooptrack_ros.viz.overlay import clip_and_project, draw_boxes
from cooptrack_ros.viz.recording_files import GIF_LIMIT_BYTES, write_album, write_small_gif
from cooptrack_ros.viz.recording_scenes import TrackedFrame, scenes
from cooptrack_ros.viz.result import identity_number, tracked_frames


@pytest.fixture(scope='module')
def scene(scenes):
    return scenes.scene(20001, 0.6, (320, 180))


@pytest.fixture(scope='module')
def records(scene):
    return open_dataset(scene).records('cooperative')


def _box(x, y, track_id=5):
    return Boxes(np.array([[x, y, 0.0]]), np.array([[4.0, 2.0, 1.5]]), np.zeros(1), np.zeros((1, 2)),
                 np.zeros(1, np.int64), np.ones(1), np.array([track_id]))


def test_forward_is_up_and_left_is_left():
    view = BevView(200, 50.0)
    assert view.pixels(np.array([25.0, 0.0])).tolist() == [100, 50]
    assert view.pixels(np.array([0.0, 25.0])).tolist() == [50, 100]


def test_a_track_is_drawn_at_its_place_in_the_colour_of_its_identity(records):
    frame = TrackedFrame.plain(_box(20.0, 10.0, 7))
    scene = next(scenes(records, {'rsu_1': records}, {records[0].token: frame}, 'x'))
    picture = draw_bev(scene, 400, 50.0).astype(int)
    rows, columns = np.nonzero((np.abs(picture - bgr_of(7)) < 30).all(-1))
    assert abs(rows.mean() - (200 - 20 * 4)) < 8 and abs(columns.mean() - (200 - 10 * 4)) < 8


def test_neighbouring_identities_have_different_colours():
    colours = [bgr_of(i) for i in range(NUM_COLOURS)]
    assert len(set(colours)) == NUM_COLOURS
    assert bgr_of(NUM_COLOURS) == bgr_of(0)


@pytest.mark.parametrize('sight', COLOUR_BLIND)
def test_first_identities_stay_apart_for_the_colour_blind(sight):
    assert least_distance([identity_colour(i) for i in range(6)], sight) > 0.19


def test_lines_behind_the_camera_are_left_out_and_crossing_ones_cut():
    camera = np.eye(4)
    assert clip_and_project(camera, np.array([0, 0, -1.0]), np.array([0, 0, -2.0])) is None
    cut = clip_and_project(camera, np.array([0, 0, 5.0]), np.array([1.0, 0, -5.0]))
    assert np.isfinite(cut).all()


def test_labels_lie_on_the_objects_in_the_picture(records):
    record = records[0]
    image = np.zeros((180, 320, 3), np.uint8)
    visible = record.boxes[record.from_side != 'inf']
    draw_boxes(image, visible, record.cameras[0].img_from_lidar, label=False)
    corners = box_corners(visible).reshape(-1, 3)
    pixels, depth = project_points(record.cameras[0].img_from_lidar, corners)
    pixels, depth = pixels.reshape(-1, 8, 2), depth.reshape(-1, 8)
    ahead = (depth > 1).all(1) & (pixels >= 0).all((1, 2)) & (pixels < (320, 180)).all((1, 2))
    assert ahead.any()
    expected = np.zeros(image.shape[:2], bool)
    for box, place in zip(visible.track_id[ahead], pixels[ahead], strict=True):
        (left, top), (right, bottom) = np.floor(place.min(0)).astype(int), np.ceil(place.max(0)).astype(int) + 1
        assert (image[top:bottom, left:right] == bgr_of(int(box))).all(-1).any(), box
    for place, near in zip(pixels, depth, strict=True):
        # What reaches behind the camera may be anywhere.
        low, high = (place.min(0) - 3, place.max(0) + 4) if (near > 1).all() else ((0, 0), (320, 180))
        (left, top), (right, bottom) = np.clip(low, 0, None).astype(int), np.clip(high, 0, None).astype(int)
        expected[top:bottom, left:right] = True
    assert not expected.all() and not image[~expected].any()


def test_the_caption_tells_the_time_and_trails_grow(records):
    frames = {r.token: TrackedFrame.plain(_box(10, 0)) for r in records}
    shown = list(scenes(records, {'rsu_1': records}, frames, 'late'))
    assert shown[0].caption == 'late  t = 0.0 s'
    assert [len(s.trails[5]) for s in shown] == list(range(1, len(records) + 1))


def test_an_album_has_pictures_and_an_animation_and_replaces_an_older_one(records, tmp_path):
    frames = {r.token: TrackedFrame(_box(10, 0), np.array([Provenance.ROADSIDE])) for r in records}
    (tmp_path / 'album').mkdir()
    (tmp_path / 'album' / 'frame_9999.png').touch()
    (tmp_path / 'album' / 'result.json').touch()
    files = write_album(tmp_path / 'album', records, {'rsu_1': records}, frames, 'x', pictures=2)
    assert sorted(p.name for p in (tmp_path / 'album').iterdir()) == sorted([*(f.name for f in files), 'result.json'])
    assert cv2.imread(str(files[0])).shape[0] > 500
    assert Image.open(files[-1]).n_frames == len(records[::2])


def test_a_video_has_every_frame_at_full_width(records, tmp_path):
    files = write_album(tmp_path, records, {'rsu_1': records}, {}, 'x', pictures=1, video=True)
    assert [f.name for f in files[1:]] == ['tracks.mp4', 'tracks.gif']
    video = cv2.VideoCapture(str(tmp_path / 'tracks.mp4'))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == len(records)
    assert video.get(cv2.CAP_PROP_FRAME_WIDTH) == cv2.imread(str(files[0])).shape[1]
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(10, abs=0.2)


def test_an_album_without_a_codec_has_no_video(records, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2.VideoWriter, 'isOpened', lambda self: False)
    files = write_album(tmp_path, records[:2], {}, {}, 'x', pictures=1, video=True)
    assert [f.suffix for f in files] == ['.png', '.gif']


def test_noisy_animations_get_narrower_instead_of_too_big(tmp_path):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (600, 1000, 3), dtype=np.uint8) for _ in range(12)]
    write_small_gif(tmp_path / 'a.gif', pictures, 5.0)
    assert (tmp_path / 'a.gif').stat().st_size < GIF_LIMIT_BYTES


def test_boxes_of_a_result_come_back_to_the_ego_frame(records):
    builder = ExchangeBuilder('x')
    for record in records:
        builder.add(record, 'scene/', record.boxes, None)
    frames = tracked_frames(builder.finish(), records, 'scene')
    tracks = frames[records[0].token].tracks
    row = {int(i): k for k, i in enumerate(records[0].boxes.track_id)}
    expected = records[0].boxes[[row[int(i)] for i in tracks.track_id]]
    assert np.allclose(tracks.centre, expected.centre, atol=1e-6)
    assert np.allclose(np.exp(1j * tracks.yaw), np.exp(1j * expected.yaw), atol=1e-6)


def test_links_of_a_result_are_drawn_from_the_track_to_the_roadside_instance(records):
    record, builder = records[0], ExchangeBuilder('x')
    builder.add(record, '', _box(20.0, 10.0, 7), None, [TrackLink(7, np.array([20.0, -20.0, 0.0]), 0.8)],
                np.array([Provenance.ROADSIDE]))
    frames = tracked_frames(builder.finish(), [record], 'scene')
    scene = next(scenes([record], {'rsu_1': [record]}, frames, 'x'))
    assert scene.links == ((0, 0, 0.8),) and np.allclose(scene.infra.centre[0, :2], [20, -20], atol=1e-6)
    assert scene.provenance.tolist() == [Provenance.ROADSIDE]
    drawn = draw_bev(scene, 400, 50.0)[200 - 20 * 4, 200 + 5 * 4].astype(int)
    assert np.abs(drawn - UNIT_COLOUR).max() < 80


def test_identities_need_not_be_numbers():
    assert identity_number('12') == 12
    assert identity_number('t0_9') == identity_number('t0_9') != identity_number('t0_8')


def test_the_command_draws_a_result_file(scene, records, tmp_path, capsys):
    builder = ExchangeBuilder('x')
    for record in records:
        builder.add(record, '', record.boxes, None)
    (tmp_path / 'result.json').write_text(json.dumps(builder.finish()))
    assert cli.main(['render', str(tmp_path / 'result.json'), '--data', str(scene), '-o', str(tmp_path / 'o'),
                     '--pictures', '1']) == 0
    assert {p.name for p in (tmp_path / 'o').iterdir()} == {
        'tracks.gif', 'tracks.mp4', 'frame_0002.png', 'curves.png', 'analysis.png', 'analysis.json', 'report.html'}


def test_the_command_draws_all_units_of_a_folder(tmp_path):
    folder = tmp_path / 'scene'
    generate(folder, 20008, 0.5, (160, 90), units=2)
    dataset = open_dataset(folder)
    records, builder = dataset.records('cooperative'), ExchangeBuilder('x')
    for record in records:
        near = record.boxes[np.argsort(np.hypot(*record.boxes.centre[:, :2].T))[:2]]
        links = [TrackLink(int(i), centre, 0.8, unit)
                 for i, centre, unit in zip(near.track_id, near.centre, dataset.units, strict=True)]
        builder.add(record, '', near, None, links, np.full(len(near), Provenance.FUSED))
    result = builder.finish()
    (tmp_path / 'result.json').write_text(json.dumps(result))
    assert cli.main(['render', str(tmp_path / 'result.json'), '--data', str(folder), '-o', str(tmp_path / 'o'),
                     '--pictures', '1', '--no-video']) == 0
    assert len(list((tmp_path / 'o').glob('frame_*.png'))) == 1
    frames = tracked_frames(result, records, 'scene')
    scene = next(scenes(records, dataset.partners(records), frames, 'x'))
    assert [unit.name for unit in scene.units] == ['unit_1', 'unit_2']
    assert len(scene.infra) == len(scene.links) == 2
    for unit, pairs in zip(scene.units, dataset.partners(records).values(), strict=True):
        np.testing.assert_array_equal(unit.ego_from_infra, pairs[0].ego_from_infra)
    # The roadside panel lies below, to the right of the bird's-eye view: a picture of each unit.
    panel = compose(scene)[34 + 450:, 900:]
    assert all(part[40:200].mean() > 30 for part in np.array_split(panel, 2, axis=1))


def test_a_result_of_other_data_is_refused(scene, tmp_path, capsys):
    empty = ExchangeBuilder('x').finish()
    (tmp_path / 'result.json').write_text(json.dumps(empty))
    assert cli.main(['render', str(tmp_path / 'result.json'), '--data', str(scene), '-o', str(tmp_path / 'o')]) == 2
    assert 'no frame of' in capsys.readouterr().err
