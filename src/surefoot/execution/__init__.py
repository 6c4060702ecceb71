"""Where runs happen: a pool of worker processes that outlive a run, and what they say of it."""

from surefoot.execution.engine import Engine
from surefoot.execution.machine import available_cores
from surefoot.execution.place import Place
from surefoot.execution.processes import WorkerPool
from surefoot.execution.provenance import provenance_at_start
from surefoot.execution.task import Outcome, Task

__all__ = ["Engine", "Outcome", "Place", "Task", "WorkerPool", "available_cores", "provenance_at_start"]
