"""Jobs in a wanted state: waited for, or as a pool would have left them a while ago."""

import time
from contextlib import contextmanager

import pytest

from pages.shared.jobs import job as job_module
from pages.shared.jobs import worker


class ShiftedClock:
    """Says what the time was so many seconds ago."""

    def __init__(self, seconds):
        self.seconds = seconds

    def monotonic(self):
        return time.monotonic() - self.seconds


@contextmanager
def seconds_ago(seconds):
    """What is done with a job here was done so long ago; below 0: is done so much later."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_module, "time", ShiftedClock(seconds))
        yield


def mark_running(job, partial=None, progress=0.4, message="at 4", seconds=1000.0):
    """Let a job run for so long already, with what it has so far."""
    with seconds_ago(seconds):
        job.begin(1)
    job.note(progress, 1.0, message, None if partial is None else worker.pack(partial))


def over(job, seconds=30):
    """The job, once it is over."""
    assert job.wait(seconds)
    return job


def until(condition, seconds=20):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
