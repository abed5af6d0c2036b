"""Units of work over Dask: on this machine, or on a scheduler that the user names."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from wattline.errors import WattlineError

# What a worker needs at most; a whole `field` bus needs 0.5 GB.
_MEMORY = "2GB"
# NumPy's own threads would only get in each other's way.
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


@contextmanager
def client(cluster: str | None, units: int) -> Iterator[Any]:
    """Give a Dask client.

    Parameters
    ----------
    cluster
        Address of a scheduler; None for one process per core of this machine, without a
        dashboard, no more than there are units of work.
    units
        How many units of work there are.
    """
    import dask
    from dask.distributed import Client, LocalCluster

    if cluster is not None:
        try:
            given = Client(cluster, timeout="10s")
        except (OSError, ValueError) as error:
            raise WattlineError(f"{cluster}: no Dask scheduler answers there.") from error
        with given:
            yield given
        return
    environment = dict.fromkeys(_ONE_THREAD, "1")
    workers = max(min(len(os.sched_getaffinity(0)), units), 1)
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": environment}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=_MEMORY,
            dashboard_address=None,
            silence_logs=50,
        ) as local,
        Client(local) as own,
    ):
        yield own


def spread(
    work: Callable[..., Any], units: Sequence[tuple[Any, ...]], cluster: str | None
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield arguments and result of every unit of work as they are done."""
    from dask.distributed import as_completed

    with client(cluster, len(units)) as given:
        futures = {given.submit(work, *unit, pure=False): unit for unit in units}
        for future in as_completed(list(futures)):
            yield futures.pop(future), future.result()
            future.release()
