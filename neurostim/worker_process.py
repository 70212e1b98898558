"""A process that takes shards, runs them, and ends with the process that started it."""

import logging
from multiprocessing.connection import Connection

from neurostim.isolation_child import end_with
from neurostim.shards import run_shard
from protocols import InputError


def main(parent: int, file: int) -> None:
    """Run the shards that come through a connection until it closes, in one thread.

    Answers are steps, or why a shard could not be run: a sentence, or the trace of a defect.
    """
    end_with(parent)
    import torch

    torch.set_num_threads(1)
    connection = Connection(file)
    try:
        plan, folder, key = connection.recv()
        while True:
            shard = connection.recv()
            try:
                for step in run_shard(plan, shard, folder, key):
                    connection.send(step)
            except (InputError, OSError) as error:
                connection.send(error)
            except Exception as error:
                logging.getLogger("neurostim").exception("%s failed", shard.stem)
                connection.send(RuntimeError(f"{shard.stem}: {type(error).__name__}: {error}"))
    except (EOFError, OSError):  # there is nobody to work for any more
        return
