"""One thread that does the work, fed through a mailbox."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any


class Worker:
    """
    Runs jobs one after another in a thread of its own.

    With ``keep_all`` every job is done in order; otherwise a newer job replaces one that still waits, and
    ``on_drop`` is called. ``on_next`` is called for each job when it is the first that waits, so that it can be
    prepared while another one is worked on. A job that raises is reported to ``on_error`` and does not end the thread.
    """

    def __init__(self, work: Callable[[Any], None], on_error: Callable[[Exception], None],
                 on_drop: Callable[[Any], None], on_next: Callable[[Any], None], keep_all: bool):
        """Take the functions; nothing runs before ``start``."""
        self._work, self._on_error, self._on_drop, self._on_next = work, on_error, on_drop, on_next
        self._keep_all = keep_all
        self._jobs: deque[Any] = deque()
        self._condition = threading.Condition()
        self._running = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._running = True
        self._thread = threading.Thread(target=self._loop, name='worker', daemon=True)
        self._thread.start()

    def put(self, job: Any) -> None:
        """Hand over a job; returns at once."""
        with self._condition:
            if self._jobs and not self._keep_all:
                self._on_drop(self._jobs.popleft())
            self._jobs.append(job)
            if len(self._jobs) == 1:
                self._on_next(job)
            self._condition.notify_all()

    @property
    def waits(self) -> bool:
        """Whether a job waits."""
        with self._condition:
            return bool(self._jobs)

    def stop(self) -> None:
        """Finish the job at hand, forget the others, and end the thread."""
        with self._condition:
            self._running = False
            self._jobs.clear()
            self._condition.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None

    def _loop(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._jobs or not self._running)
                if not self._running:
                    return
                job = self._jobs.popleft()
                if self._jobs:
                    self._on_next(self._jobs[0])
            try:
                self._work(job)
            except Exception as error:
                self._on_error(error)
