"""Mixed reliability is reported with the middleware that does not get along with it, and with the parameter."""

import pytest

from cooptrack_ros.nodes.health.middleware import ZENOH, mixed_reliability

RELIABLE = {'image.qos': 'reliable', 'features.reliability': 'reliable'}


@pytest.mark.parametrize(('rmw', 'changed'), [(ZENOH, {}), ('rmw_fastrtps_cpp', {'image.qos': 'sensor_data'})])
def test_nothing_is_said_where_nothing_is_mixed_or_the_middleware_gets_along_with_it(rmw, changed):
    assert mixed_reliability(rmw, RELIABLE | changed) is None


@pytest.mark.parametrize(('name', 'value'), [('image.qos', 'sensor_data'), ('features.reliability', 'best_effort')])
def test_the_parameter_that_mixes_them_is_named(name, value):
    evidence, advice = mixed_reliability(ZENOH, RELIABLE | {name: value})
    assert f'{name}: {value}' in evidence
    assert f'set {name} to reliable' in advice
