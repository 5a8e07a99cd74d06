"""Early fusion: the vehicle sees through the cameras of its partner."""

from __future__ import annotations

import numpy as np
import pytest
from support.griffin_folders import write_griffin

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import project_points, transform_points
from cooptrack_ros.data.folders import open_datasets


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Give a folder with both sides."""
    return write_griffin(tmp_path_factory.mktemp('griffin'))


def test_cameras_of_the_partner_show_a_place_where_they_show_it_to_itself(folder):
    ((_, early),), ((_, plain),) = open_datasets([folder], early=True), open_datasets([folder])
    place = np.array([[12.0, 3.0, 0.5]])
    for fused, pair in zip(early.training_records('vehicle-side'), plain.training_records('cooperative'), strict=True):
        assert [c.name for c in fused.cameras][3:6] == ['right', 'drone_front', 'drone_back']
        in_drone = transform_points(np.linalg.inv(pair.ego_from_infra), place)
        for own, other in zip(fused.cameras[4:], pair.infra.cameras, strict=True):
            for one, two in zip(project_points(own.img_from_lidar, place),
                                project_points(other.img_from_lidar, in_drone), strict=True):
                np.testing.assert_allclose(one, two, rtol=1e-9)
        assert fused.boxes.track_id.tolist() == pair.boxes.track_id.tolist()
        assert (fused.side, fused.infra, fused.ego_from_infra) == ('vehicle-side', None, None)
        assert fused.frame().img_from_lidar.shape == (9, 4, 4)


def test_pairs_keep_their_partner_and_the_partner_its_own_records(folder):
    ((_, early),) = open_datasets([folder], early=True)
    sequence = early.sequences('train')[0]
    pair = early.records('cooperative', sequence)[0]
    assert len(pair.cameras) == 9 and len(pair.infra.cameras) == 5 and early.partners([pair]) == {'drone': [pair]}
    assert len(early.records('infrastructure-side', sequence)[0].cameras) == 5
    assert len(early.training_records('infrastructure-side')) == 12
    assert early.left_out() == [] and all(map(early.has_side, ('vehicle-side', 'cooperative')))


def test_data_without_a_partner_is_refused(tmp_path):
    with pytest.raises(UserError, match='early fusion needs pairs'):
        open_datasets([write_griffin(tmp_path, ('vehicle-side',), images=False)], early=True)
