"""The order in which a node works on images, and which of them are prepared ahead."""

import threading

import pytest

from cooptrack_ros.nodes.worker import Worker


class Bench:
    """A worker whose jobs wait for a sign."""

    def __init__(self, keep_all):
        self.begun, self.may_end = threading.Semaphore(0), threading.Semaphore(0)
        self.done, self.next, self.dropped, self.errors = [], [], [], []
        self.worker = Worker(self._work, self.errors.append, self.dropped.append, self.next.append, keep_all)
        self.worker.start()

    def _work(self, job):
        self.begun.release()
        assert self.may_end.acquire(timeout=10)
        self.done.append(job)
        if job == 'bad':
            raise ValueError(job)

    def put(self, *jobs):
        for job in jobs:
            self.worker.put(job)

    def finish(self, count):
        """Let jobs end, and wait until the next one begins."""
        for _ in range(count):
            self.may_end.release()
            assert self.begun.acquire(timeout=10)


def test_the_newest_job_replaces_the_one_that_waits():
    bench = Bench(keep_all=False)
    bench.put('a')
    assert bench.begun.acquire(timeout=10)
    bench.put('b', 'c', 'd')
    assert (bench.next, bench.dropped) == (['a', 'b', 'c', 'd'], ['b', 'c'])
    bench.finish(1)
    bench.may_end.release()
    bench.worker.stop()
    assert bench.done == ['a', 'd']


def test_with_all_kept_only_the_next_job_is_prepared_ahead():
    bench = Bench(keep_all=True)
    bench.put('a')
    assert bench.begun.acquire(timeout=10)
    bench.put('b', 'c', 'd')
    assert (bench.next, bench.dropped) == (['a', 'b'], [])
    bench.finish(1)
    assert bench.next == ['a', 'b', 'c']
    bench.finish(2)
    bench.may_end.release()
    bench.worker.stop()
    assert bench.done == bench.next == ['a', 'b', 'c', 'd']


@pytest.mark.parametrize('keep_all', [False, True])
def test_a_job_that_fails_does_not_end_the_thread(keep_all):
    bench = Bench(keep_all)
    bench.put('bad')
    assert bench.begun.acquire(timeout=10)
    bench.put('good')
    bench.finish(1)
    bench.may_end.release()
    bench.worker.stop()
    assert bench.done == ['bad', 'good'] and [str(e) for e in bench.errors] == ['bad']
