"""Paths in data_info.json as others write them lead to the same files."""

import pytest
from support.spd_folders import golden, write_folder

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.spd.reader import SpdDataset

SIDES = ('vehicle-side', 'infrastructure-side')


def with_paths(content, change):
    """Return the content of a folder with all paths in the lists of frames changed; ``change`` gets side and path."""
    changed = dict(content)
    for side in SIDES:
        name = f'{side}/data_info.json'
        changed[name] = [{k: change(side, v) if k.endswith('_path') else v for k, v in element.items()}
                         for element in content[name]]
    return changed


@pytest.mark.parametrize('change', [
    lambda side, path: path.replace('/', '\\'), lambda side, path: f'{side}/{path}',
    lambda side, path: f'{side}\\{path}'.replace('/', '\\'), lambda side, path: f'./{path}',
    lambda side, path: f'/data/other/V2X-Seq-SPD/{side}/{path}',
    lambda side, path: f'/{side}/copies/{side}/{path}',
    lambda side, path: f'D:\\V2X-Seq-SPD\\{side}\\{path}'.replace('/', '\\')],
    ids=['backslashes', 'from the root', 'both', 'dot', 'absolute elsewhere', 'name twice', 'drive'])
def test_the_files_are_found(tmp_path, change):
    content = golden('dataset')
    usual = SpdDataset(write_folder(tmp_path / 'usual', content))
    other = SpdDataset(write_folder(tmp_path / 'other', with_paths(content, change)))
    assert other.index.missing == usual.index.missing
    for side, frames in ((SIDES[0], 'vehicle'), (SIDES[1], 'infra')):
        assert list(getattr(other.index, frames)) == list(getattr(usual.index, frames))
        for a, b in zip(other.records(side), usual.records(side), strict=True):
            assert a.labelled == b.labelled and len(a.boxes) == len(b.boxes)


def test_an_absolute_path_that_is_right_here_is_used(tmp_path):
    content = golden('dataset')
    elsewhere = write_folder(tmp_path / 'elsewhere', content)
    index = {name: value for name, value in content.items() if name.endswith('data_info.json')}
    index = with_paths(index, lambda side, path: str(elsewhere / side / path))
    dataset = SpdDataset(write_folder(tmp_path / 'index', index))
    record = next(iter(dataset.index.vehicle.values()))
    assert record.calibration['intrinsic'].is_relative_to(elsewhere)


def test_a_missing_file_is_called_by_its_usual_place(tmp_path):
    content = golden('dataset')
    root = write_folder(tmp_path, content)
    element = content['vehicle-side/data_info.json'][0]
    frame = SpdDataset(root).index.vehicle[element['frame_id']]
    assert frame.image == root / 'vehicle-side' / element['image_path']


def first_image(content, value):
    """Return the content of a folder whose first vehicle image has another path."""
    name = 'vehicle-side/data_info.json'
    elements = [dict(element) for element in content[name]]
    elements[0]['image_path'] = value
    return {**content, name: elements}


def leads_out(root):
    with pytest.raises(UserError, match='leads out of the data set'):
        len(SpdDataset(root).index.vehicle)


@pytest.mark.parametrize('path', ['../secret.png', 'image/../../../secret.png', '..\\secret.png'])
def test_a_path_that_climbs_out_of_the_folder_is_refused(tmp_path, path):
    (tmp_path / 'secret.png').write_bytes(b'')
    leads_out(write_folder(tmp_path / 'data', first_image(golden('dataset'), path)))


def test_an_absolute_path_to_a_file_of_no_data_set_is_refused(tmp_path):
    (tmp_path / 'secret.png').write_bytes(b'')
    leads_out(write_folder(tmp_path / 'data', first_image(golden('dataset'), str(tmp_path / 'secret.png'))))


@pytest.mark.parametrize('is_folder', [False, True])
def test_a_link_out_of_the_folder_is_refused(tmp_path, is_folder):
    (tmp_path / 'secrets').mkdir()
    (tmp_path / 'secrets/a.png').write_bytes(b'')
    root = write_folder(tmp_path / 'data', first_image(golden('dataset'), 'private/a.png'))
    place = root / 'vehicle-side/private'
    if is_folder:
        place.symlink_to(tmp_path / 'secrets')
    else:
        place.mkdir()
        (place / 'a.png').symlink_to(tmp_path / 'secrets/a.png')
    leads_out(root)


@pytest.mark.parametrize('place', ['data', '.'])
def test_a_link_with_the_name_of_an_image_archive_leads_to_archives_only(tmp_path, place):
    name = 'V2X-Seq-SPD-1-vehicle-side-image'
    root = write_folder(tmp_path / 'data', first_image(golden('dataset'), 'image/a.png'))
    for folder in ('secrets', f'disk/{name}'):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / 'a.png').write_bytes(b'')
    link = tmp_path / place / name
    link.symlink_to(tmp_path / 'secrets')
    leads_out(root)
    link.unlink()
    link.symlink_to(tmp_path / 'disk' / name)
    assert link / 'a.png' in [frame.image for frame in SpdDataset(root).index.vehicle.values()]


def test_a_link_within_the_folder_and_a_link_to_the_folder_are_followed(tmp_path):
    content = golden('dataset')
    root = write_folder(tmp_path / 'data', content)
    side = root / 'vehicle-side'
    (side / 'calib').rename(root / 'kept')
    (side / 'calib').symlink_to(root / 'kept')
    (tmp_path / 'link').symlink_to(root)
    assert len(SpdDataset(tmp_path / 'link').index.vehicle) == len(SpdDataset(root).index.vehicle) > 0
