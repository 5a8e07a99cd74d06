"""Whatever is killed while it writes leaves the state of before or the new one, and does its work when run again."""

import shutil

import killed_cases
import pytest
from killed_cases import CASES
from support.forked import fork_context

pytestmark = pytest.mark.independent


@pytest.fixture(scope='module')
def start():
    """Give what starts a case in a process: name, folder, write to stop at; returns the process and its answer."""
    context = fork_context()

    def started(name, folder, stop_at):
        mine, its = context.Pipe(duplex=False)
        process = context.Process(target=killed_cases.run, args=(name, folder, stop_at, its), daemon=True)
        process.start()
        its.close()
        try:
            return process, mine.recv()
        except EOFError:
            pytest.fail(f'{name} failed: {killed_cases.log_of(folder).read_text()}')
    return started


def ended(start, name, folder):
    """Do a case to its end; return the number of writes."""
    process, count = start(name, folder, 0)
    process.join()
    assert process.exitcode == 0
    return count


@pytest.mark.timeout(300)
@pytest.mark.parametrize('name', sorted(CASES))
def test_killed_at_any_write_it_leaves_something_whole_and_goes_on(name, start, tmp_path):
    for module in CASES[name].needs:
        pytest.importorskip(module)
    case, given = CASES[name], tmp_path / 'given'
    given.mkdir()
    case.given(given)
    whole = tmp_path / 'whole'
    shutil.copytree(given, whole)
    count = ended(start, name, whole)
    old, new = case.found(given), case.found(whole)
    assert new is not None and old != new
    every = range(1, count + 1)
    for stop_at in every if count <= 8 else sorted({1, count // 2, count - 1, count}):
        folder = tmp_path / f'killed_{stop_at}'
        shutil.copytree(given, folder)
        process, _ = start(name, folder, stop_at)
        process.kill()
        process.join()
        found = case.found(folder)
        assert found in ((old, new, None) if case.may_lose_old else (old, new)), f'write {stop_at} of {count}'
        if found != new:
            ended(start, name, folder)
            assert case.found(folder) == new, f'again after write {stop_at} of {count}'
