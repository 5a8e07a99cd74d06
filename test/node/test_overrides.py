"""What was given to a node and has no effect is named."""

import sys

import pytest
import rclpy

from cooptrack_ros.nodes.node_base import run_program
from cooptrack_ros.nodes.overrides import unread_words, unused_files, unused_parameters

DECLARED = {'weights', 'infra_units', 'fusion.mode', 'use_sim_time'}


def test_misspelt_names_are_named_with_the_one_that_may_be_meant():
    texts = list(unused_parameters({'weigths', 'weights', 'fusion.mode'}, DECLARED))
    assert texts == ["there is no parameter 'weigths': its value has no effect; is 'weights' meant?"]


def test_quality_of_service_is_set_otherwise():
    text, = unused_parameters({'qos_overrides./tf.subscription.depth'}, DECLARED)
    assert 'image.qos' in text


def test_words_outside_of_ros_args_are_named():
    assert list(unread_words(['--ros-args', '-p', 'weights:=x'])) == []
    text, = unread_words(['infra_units:=rsu_2', '--ros-args', '-p', 'weights:=x', '--', 'left'])
    assert 'infra_units:=rsu_2 left' in text


@pytest.mark.parametrize(('content', 'overrides', 'is_named'), [
    ('/**: {ros__parameters: {weights: x}}', {'weights'}, False),
    ('/ego: {ego_node: {ros__parameters: {fusion: {mode: late}}}}', {'fusion.mode'}, False),
    ('tracker: {ros__parameters: {weights: x}}', set(), True),
    ('tracker: {ros__parameters: {weights: x}}', {'infra_units'}, True), ('/**: {ros__parameters: {}}', set(), False)])
def test_a_parameter_file_for_another_node_is_named(tmp_path, content, overrides, is_named):
    file = tmp_path / 'file.yaml'
    file.write_text(content)
    texts = list(unused_files(['--ros-args', '--params-file', str(file)], overrides, '/ego/ego_node'))
    assert len(texts) == is_named
    assert all('tracker' in text and '/ego/ego_node' in text for text in texts)


def test_a_parameter_file_that_unfolds_is_not_read(tmp_path):
    file = tmp_path / 'file.yaml'
    file.write_text('a: &a {b: 1}\nc: *a')
    text, = unused_files(['--ros-args', '--params-file', str(file)], set(), '/ego/ego_node')
    assert "an alias '*a' in line 2" in text


def test_a_running_node_warns_of_all_of_them(tmp_path, monkeypatch, capfd):
    from cooptrack_ros.nodes.link_emulator import LinkEmulator
    file = tmp_path / 'file.yaml'
    file.write_text('tracker: {ros__parameters: {seed: 3}}')
    monkeypatch.setattr('rclpy.executors.SingleThreadedExecutor.spin', lambda self: None)
    monkeypatch.setattr(sys, 'argv', ['link_emulator', 'seed:=4', '--ros-args', '-p', 'sead:=5', '--params-file',
                                      str(file)])
    assert run_program(LinkEmulator) == 0
    text = capfd.readouterr().err
    assert f'middleware {rclpy.get_rmw_implementation_identifier()}' in text
    assert "no parameter 'sead'" in text and 'seed:=4' in text and f'{file} says nothing to this node' in text
