"""The stand-in for ros2 launch."""

import os
import sys
from pathlib import Path

import pytest
from launch_runner import LaunchError, parse_launch, run_plan


@pytest.fixture
def prefix(tmp_path):
    """Return an install prefix with a package whose executable prints its arguments and waits when asked to."""
    (tmp_path / 'share/ament_index/resource_index/packages').mkdir(parents=True)
    (tmp_path / 'share/ament_index/resource_index/packages/some_pkg').touch()
    program = tmp_path / 'lib/some_pkg/talker'
    program.parent.mkdir(parents=True)
    program.write_text(f'#!{sys.executable}\nimport os, signal, sys\nprint(os.environ.get("COLOUR"), *sys.argv[1:])\n'
                       'sys.stdout.flush()\nif "wait" in sys.argv: signal.pause()\n')
    program.chmod(0o755)
    return tmp_path


def parse(prefix: Path, body: str, **arguments):
    """Parse a launch file with a body."""
    file = prefix / 'x.launch.xml'
    file.write_text(f'<launch>{body}</launch>')
    return parse_launch(file, arguments, {**os.environ, 'AMENT_PREFIX_PATH': str(prefix)})


def test_a_node_gets_name_namespace_parameters_and_remaps(prefix):
    plan = parse(prefix, '''<arg name="who" default="a"/><node pkg="some_pkg" exec="talker" name="n_$(var who)"
        namespace="ns"><param name="p" value="1"/><param from="$(dirname)/f.yaml"/><remap from="x" to="y"/></node>''',
                 who='b')
    assert list(plan.nodes[0].command[1:]) == [
        '--ros-args', '-r', '__node:=n_b', '-r', '__ns:=/ns', '-p', 'p:=1', '--params-file',
        f'{prefix.resolve()}/f.yaml', '-r', 'x:=y']


def test_conditions_and_environment_are_scoped_to_their_group(prefix):
    plan = parse(prefix, '''<arg name="on" default="false"/>
        <group><set_env name="COLOUR" value="red"/><node pkg="some_pkg" exec="talker"/></group>
        <node pkg="some_pkg" exec="talker" if="$(var on)"/><node pkg="some_pkg" exec="talker" unless="$(var on)"/>''')
    assert [n.environment.get('COLOUR') for n in plan.nodes] == ['red', os.environ.get('COLOUR')]


def test_a_parameter_of_all_nodes_comes_before_their_own_and_ends_with_its_group(prefix):
    (prefix / 'inner.launch.xml').write_text(
        '<launch><node pkg="some_pkg" exec="talker"><param name="b" value="2"/></node></launch>')
    plan = parse(prefix, '''<arg name="on" default="false"/><group><set_parameter name="a" value="1"/>
        <set_parameter name="c" value="3" if="$(var on)"/><include file="$(dirname)/inner.launch.xml"/></group>
        <node pkg="some_pkg" exec="talker"/>''')
    assert [n.command[1:] for n in plan.nodes] == [('--ros-args', '-p', 'a:=1', '-p', 'b:=2'), ()]


def test_a_group_adds_to_the_parameters_around_it_as_launch_ros_does(prefix):
    plan = parse(prefix, '''<set_parameter name="a" value="1"/>
        <group><set_parameter name="b" value="2"/></group><node pkg="some_pkg" exec="talker"/>''')
    assert plan.nodes[0].command[1:] == ('--ros-args', '-p', 'a:=1', '-p', 'b:=2')


def test_an_included_file_gets_its_arguments(prefix):
    (prefix / 'inner.launch.xml').write_text(
        '<launch><arg name="v"/><node pkg="some_pkg" exec="talker" args="$(var v)"/></launch>')
    plan = parse(prefix, '<include file="$(dirname)/inner.launch.xml"><arg name="v" value="hello"/></include>')
    assert plan.nodes[0].command[1:] == ('hello',)


def test_what_an_included_file_declares_holds_for_what_follows_up_to_the_end_of_the_group(prefix):
    (prefix / 'inner.launch.xml').write_text('<launch><arg name="v" default="inner"/></launch>')
    include, after = '<include file="$(dirname)/inner.launch.xml"/>', '<arg name="v" default="outer"/>'
    node = '<node pkg="some_pkg" exec="talker" args="$(var v)"/>'
    assert parse(prefix, include + after + node).nodes[0].command[1:] == ('inner',)
    assert parse(prefix, f'<group>{include}</group>{after}{node}').nodes[0].command[1:] == ('outer',)


def test_a_text_stays_one_even_if_it_is_empty_or_looks_like_a_number(prefix):
    plan = parse(prefix, '''<node pkg="some_pkg" exec="talker"><param name="a" value="" type="str"/>
        <param name="b" value="7" type="str"/><param name="c" value="it's" type="str"/></node>''')
    assert list(plan.nodes[0].command[2:]) == ['-p', "a:=''", '-p', "b:='7'", '-p', "c:='it''s'"]


@pytest.mark.parametrize('value', ['my bag', "it's", 'a "b" c', '', '-x --y', 'x\\y'])
def test_what_a_substitution_gives_stays_one_word(prefix, value):
    body = '<arg name="v"/><node pkg="some_pkg" exec="talker" args="{}"/>'
    for args, expected in (('play $(var v) --on', ['play', value, '--on']), ('$(var v)', [value]),
                           ('a=$(var v)b  c', [f'a={value}b', 'c']), ('$(var v)$(var v)', [value * 2])):
        assert list(parse(prefix, body.format(args), v=value).nodes[0].command[1:]) == expected


def test_the_text_of_the_file_is_split_as_a_shell_does(prefix):
    body = '<node pkg="some_pkg" exec="talker" args="{}"/>'
    plan = parse(prefix, body.format("-d 'a b'  --c\n   d"))
    assert list(plan.nodes[0].command[1:]) == ['-d', 'a b', '--c', 'd']
    with pytest.raises(LaunchError, match='No closing quotation'):
        parse(prefix, body.format("it's"))


@pytest.mark.parametrize('value', ['my bag', "it's", 'a(b', 'c)', '$(var w)', 'true false'])
def test_a_variable_that_is_not_there_has_a_default_whatever_its_name(prefix, value):
    plan = parse(prefix, '''<arg name="v" default=""/><let name="given_" value="false"/>
        <node pkg="some_pkg" exec="talker" args="$(var v)" if="$(var given_$(var v) true)"/>''', v=value)
    assert plan.nodes[0].command[1:] == (value,)
    assert parse(prefix, '''<arg name="v" default=""/><let name="given_" value="false"/>
        <node pkg="some_pkg" exec="talker" if="$(var given_$(var v) true)"/>''').nodes == []


def test_quotes_within_a_compared_text_are_an_error_as_in_python(prefix):
    body = '''<arg name="v"/><node pkg="some_pkg" exec="talker" if="$(eval '\\'$(var v)\\' == \\'a b\\'')"/>'''
    assert len(parse(prefix, body, v='a b').nodes) == 1
    assert not parse(prefix, body, v='a').nodes
    with pytest.raises(LaunchError, match='only'):
        parse(prefix, body, v="it's")


def test_a_parameter_without_a_type_may_be_empty(prefix):
    plan = parse(prefix, '<node pkg="some_pkg" exec="talker"><param name="a" value=""/></node>')
    assert plan.nodes[0].command[2:] == ('-p', "a:=''")


@pytest.mark.parametrize(('body', 'complaint'), [
    ('<node pkg="some_pkg" exec="talker"><param name="a" value="1" type="int"/></node>', 'type int'),
    ('<node pkg="some_pkg" exec="talker"><param name="a" value="1" if="true"/></node>', "attribute 'if'"),
    ('<timer/>', 'timer'), ('<node pkg="some_pkg" exec="talker" respawn="true"/>', 'respawn'),
    ('<node pkg="some_pkg" exec="nobody"/>', 'nobody'), ('<node pkg="none" exec="x"/>', "'none'"),
    ('<arg name="must"/>', 'required'), ('<let name="a" value="$(var b)"/>', 'not declared'),
    ('<let name="a" value="$(command ls)"/>', 'not supported'),
])
def test_what_is_wrong_or_unsupported_is_named(prefix, body, complaint):
    with pytest.raises(LaunchError, match=complaint):
        parse(prefix, body)


def test_an_undeclared_argument_is_refused(prefix):
    with pytest.raises(LaunchError, match="no argument 'typo'"):
        parse(prefix, '<arg name="a" default="1"/>', typo='1')


def test_the_end_of_a_required_node_stops_the_others(prefix):
    plan = parse(prefix, '''<node pkg="some_pkg" exec="talker" name="stays" args="wait"/>
        <node pkg="some_pkg" exec="talker" name="ends" args="bye" on_exit="shutdown"/>''')
    lines = []
    assert run_plan(plan, lines.append) == 0
    assert any(line.startswith('[ends] ') and 'bye' in line for line in lines)


def test_no_line_is_lost_when_many_come_at_once_and_the_node_is_stopped(prefix):
    (prefix / 'lib/some_pkg/talker').write_text(
        f'#!{sys.executable}\nimport signal, sys\nsignal.signal(signal.SIGINT, lambda *a: sys.exit("stopped"))\n'
        'if "wait" in sys.argv:\n    print("a\\nb\\nc\\nno end of line", end="", flush=True)\n'
        '    open(sys.argv[2], "w").close()\n    signal.pause()\n'
        'while not __import__("os").path.exists(sys.argv[1]): __import__("time").sleep(0.01)\n')
    plan = parse(prefix, f'''<node pkg="some_pkg" exec="talker" name="stays" args="wait {prefix}/ready"/>
        <node pkg="some_pkg" exec="talker" name="ends" args="{prefix}/ready" on_exit="shutdown"/>''')
    lines = []
    assert run_plan(plan, lines.append) == 0
    assert [line for line in lines if line.startswith('[stays]')] == [
        '[stays] a\n', '[stays] b\n', '[stays] c\n', '[stays] no end of linestopped\n']
