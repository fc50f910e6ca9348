"""Processes of one training: torch's own launcher (torchrun) starts them, this module lets them agree."""

import os
from dataclasses import dataclass

import torch
from torch import distributed

from sidamo.io.errors import OptionError


@dataclass(frozen=True)
class Processes:
    """This process among all: rank, how many there are, and its device."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Does this process write files and logs?"""
        return self.rank == 0

    def sum(self, values: list[float]) -> list[float]:
        """Sum of each value over all processes (float64)."""
        if self.count == 1:
            return [float(v) for v in values]
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor)
        return tensor.tolist()

    def sum_gradients(self, parameters) -> None:
        """Replace each gradient by its sum over all processes, in one message."""
        if self.count == 1:
            return
        grads = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in grads])
        distributed.all_reduce(flat)
        start = 0
        for grad in grads:
            grad.copy_(flat[start : start + grad.numel()].view_as(grad))
            start += grad.numel()

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            distributed.barrier()


def join(use_gpu: str, num_threads: int) -> Processes:
    """Join the processes that torchrun started (by its environment variables), or be the only one.

    use_gpu is 'auto', 'yes' or 'no'; raises OptionError where 'yes' finds no GPU.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    has_gpu = use_gpu != "no" and torch.cuda.is_available()
    if use_gpu == "yes" and not has_gpu:
        raise OptionError("--use-gpu=yes, but torch finds no GPU; --use-gpu=auto trains on the CPU")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if has_gpu else torch.device("cpu")
    if has_gpu:
        torch.cuda.set_device(device)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    torch.set_num_threads(num_threads or max(1, cores // local))
    if count > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if has_gpu else "gloo")
    return Processes(rank, count, device)


def leave(processes: Processes) -> None:
    """Take leave of the other processes."""
    if processes.count > 1 and distributed.is_initialized():
        distributed.destroy_process_group()
