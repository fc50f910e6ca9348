"""Utterances side by side in threads: the kernels hold no interpreter lock, and all threads share one graph."""

from __future__ import annotations

import collections
import threading


def in_order(items, make_worker, num_threads: int = 1):
    """Yield work(key, value) for each (key, value) of items, in their order.

    Parameters
    ----------
    items : iterable of (key, value), read in this thread
    make_worker : called once in each thread that works; returns the function `work`
    num_threads : threads that work; 1 works in the calling thread. At most three items a thread are in memory.

    An exception of `work` is raised here, at its item's turn.
    """
    if num_threads <= 1:
        work = make_worker()
        for key, value in items:
            yield work(key, value)
        return
    from concurrent.futures import ThreadPoolExecutor

    local = threading.local()

    def run(key, value):
        if not hasattr(local, "work"):
            local.work = make_worker()
        return local.work(key, value)

    with ThreadPoolExecutor(num_threads) as pool:
        waiting = collections.deque()
        for key, value in items:
            waiting.append(pool.submit(run, key, value))
            while len(waiting) >= 3 * num_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
