"""Pictures of voxels: colours, what hides what, and which way is up."""

from __future__ import annotations

import numpy as np
import pytest

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.colours import ROADSIDE_COLOUR
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.occupancy.grids import GRIDS, Grid, Profile
from cooptrack_ros.occupancy.segments import Volume
from cooptrack_ros.occupancy.taxonomy import V2X
from cooptrack_ros.occupancy.volume_files import INDEX_NAME, VolumeFolder, VolumeWriter, is_volume_folder
from cooptrack_ros.viz.draw import bgr, bgr_of
from cooptrack_ros.viz.street import CameraVoxels, StreetView, draw_street
from cooptrack_ros.viz.voxels import BACKGROUND, draw_from_above, draw_masks, draw_perspective, voxel_sheet

GRID = Grid((0.0, -8.0, -2.0), (1.0, 1.0, 1.0), (16, 16, 4))


def street(things=()) -> Volume:
    """Return ground with blocks of things: identity and slices."""
    semantics, instances = np.full(GRID.shape, V2X.free, np.uint8), np.zeros(GRID.shape, np.int64)
    semantics[:, :, 0] = V2X.classes.index('ground')
    for identity, where in things:
        semantics[where], instances[where] = 1, identity
    return Volume(semantics, instances)


def camera(width=160, height=90):
    """Return a camera at the origin that looks along x."""
    projection = np.eye(4)
    projection[:3, :3] = np.array([[80.0, 0, width / 2], [0, 80, height / 2], [0, 0, 1]]) @ [
        [0, -1, 0], [0, 0, -1], [1, 0, 0]]
    return projection


def shows(picture, colour, tolerance=60) -> bool:
    return bool((np.abs(picture.astype(int) - colour).sum(-1) < tolerance).any())


def test_without_voxels_there_is_the_ground_colour_of_the_picture():
    empty = Volume(np.full(GRID.shape, V2X.free, np.uint8), np.zeros(GRID.shape, np.int64))
    assert (draw_perspective(empty, GRID, V2X, (80, 60)) == BACKGROUND).all()
    assert (draw_from_above(empty, V2X, 32) == BACKGROUND).all()


def test_a_thing_has_the_colour_of_its_identity():
    volume = street([(5, np.s_[6:9, 7:9, 1:3])])
    assert shows(draw_perspective(volume, GRID, V2X, (200, 150)), bgr_of(5))
    assert shows(draw_from_above(volume, V2X, 64), bgr_of(5), 4)


def test_what_stands_in_front_hides_what_is_behind():
    # A wall as high as the grid, seen level, and a thing behind it.
    volume = street([(5, np.s_[4:5, :, :]), (4, np.s_[9:11, 7:9, 1:3])])
    picture = draw_perspective(volume, GRID, V2X, (160, 90), camera())
    lit = [np.array(bgr_of(i)) * 0.75 for i in (5, 4)]
    assert shows(picture, lit[0], 12) and not shows(picture, lit[1], 12)
    alone = draw_perspective(street([(4, np.s_[9:11, 7:9, 1:3])]), GRID, V2X, (160, 90), camera())
    assert shows(alone, lit[1], 12)


def test_masks_lie_where_the_camera_sees_the_things():
    image = np.zeros((90, 160, 3), np.uint8)
    left = street([(5, np.s_[8:9, 12:13, 2:3])])
    painted = draw_masks(image, camera(), left, GRID, V2X)
    columns = np.nonzero(painted.any((0, 2)))[0]
    # y from 4 to 5 m at 8 to 9 m lies left of the middle: 80 - 80 * 4.5 / 8.5.
    assert columns.min() > 25 and columns.max() < 50
    assert not draw_masks(image, camera(), street(), GRID, V2X).any()


def test_from_above_forward_is_up_and_left_is_left():
    picture = draw_from_above(street([(5, np.s_[15:16, 15:16, 1:2])]), V2X, 16)
    assert tuple(picture[0, 0]) == bgr_of(5) and tuple(picture[-1, -1]) != bgr_of(5)


def test_a_thing_below_a_bridge_is_shown_from_above():
    volume = street([(5, np.s_[3:4, 3:4, 1:2])])
    volume.semantics[:, :, 3] = V2X.classes.index('general')
    assert shows(draw_from_above(volume, V2X, 16), bgr_of(5), 4)


def test_a_sheet_has_image_perspective_and_all_frames():
    volumes = [street([(5, np.s_[i:i + 2, 7:9, 1:3])]) for i in range(3, 8)]
    sheet = voxel_sheet(np.full((90, 160, 3), 50, np.uint8), camera(), volumes, GRID, V2X,
                        [f'{i}' for i in range(5)], width=500)
    assert sheet.shape == (141 + 100, 500, 3)
    for k in range(5):
        assert shows(sheet[141:, 100 * k:100 * (k + 1)], bgr_of(5), 4)


def test_a_street_shows_both_images_and_frames_what_was_filled_in():
    image = np.full((90, 160, 3), 50, np.uint8)
    car, other = (5, np.s_[6:9, 7:9, 1:3]), (4, np.s_[12:14, 3:5, 1:3])
    alone, together = street([car]), street([car, other])
    own = CameraVoxels(image, camera(), alone, GRID)
    views = [StreetView(own, together, filled, CameraVoxels(image, camera(), together, GRID), 't = 1.0 s')
             for filled in ((4,), ())]
    framed, plain = (draw_street(view, V2X, 640) for view in views)
    half, low = 320, framed.shape[0] // 2
    assert framed.shape == (2 * (180 + 26), 640, 3)
    left, right = framed[low + 26:, :half], framed[low + 26:, half:]
    assert shows(right, bgr_of(4)) and not shows(left, bgr_of(4)) and shows(left, bgr_of(5))
    # The frame, and the number above, are all that differ.
    changed = np.argwhere((framed != plain).any(-1))
    assert changed[:, 0].min() >= low and changed[:, 1].min() >= half
    assert shows(right, bgr(ROADSIDE_COLOUR), 30) and not shows(plain[low + 26:, half:], bgr(ROADSIDE_COLOUR), 30)


def test_a_street_without_the_unit_leaves_its_image_dark():
    own = CameraVoxels(np.full((90, 160, 3), 50, np.uint8), camera(), street(), GRID)
    picture = draw_street(StreetView(own, street(), (), None, ''), V2X, 640)
    assert not picture[26:206, 320:].any() and picture[26:206, :320].any()


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Return a folder with two volumes."""
    monkeypatch.setitem(GRIDS, 'small', Profile('small', V2X, GRID, None))
    writer = VolumeWriter(tmp_path / 'run', 'small', 'vehicle-side', 'somebody')
    for token in ('a', 'b'):
        writer.add('seed/0', token, street([(10 ** 12, np.s_[3:5, 3:5, 1:2])]))
    writer.close()
    return tmp_path / 'run'


def test_volumes_come_back_from_their_files(stored):
    assert is_volume_folder(stored) and not is_volume_folder(stored.parent)
    found = VolumeFolder.open(stored)
    assert (found.grid, found.side, found.name, list(found.files['seed/0'])) == ('small', 'vehicle-side', 'somebody',
                                                                               ['a', 'b'])
    assert np.unique(found.read('seed/0', 'b').instances).tolist() == [0, 10 ** 12]


def test_damaged_volumes_are_named(stored):
    found = VolumeFolder.open(stored)
    np.savez(stored / '000000.npz', semantics=np.zeros((2, 2, 2), int), instances=np.zeros((2, 2, 2), int))
    with pytest.raises(UserError, match='000000.npz holds no volume'):
        found.read('seed/0', 'a')
    (stored / INDEX_NAME).write_text('{"schema": "other"}')
    with pytest.raises(UserError, match='does not name the volumes of a run'):
        VolumeFolder.open(stored)


def test_volumes_are_drawn_with_their_data_alone(stored, tmp_path, capsys):
    assert main(['render', str(stored), '-o', str(tmp_path / 'o')]) == 2
    assert 'expected it with --data DIR and --output OUT' in capsys.readouterr().err
    assert main(['render', str(stored), str(stored), '--data', str(tmp_path), '-o', str(tmp_path / 'o')]) == 2
    assert 'both hold volumes: expected one folder' in capsys.readouterr().err
