"""A started command: its output as it comes, the processes that belong to it, and its end.

Notable choices:
- It leads a process group of its own. To end it, the group is sent SIGTERM, as W&B's agent and Slurm do, and
  after a grace SIGKILL.
- This process adopts what the command orphans (PR_SET_CHILD_SUBREAPER), so that daemons which left the group are
  found and ended too, also after the command ended by itself. Elsewhere than on Linux only the group is.
- All of them carry SUREFOOT_RUN_FOLDER and SUREFOOT_WORKER in their environment: whoever comes after a worker that
  was killed finds by these what it left.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from surefoot.errors import RunFailed, quoted

PR_SET_CHILD_SUBREAPER = 36
CHUNK_BYTES = 2**16
LONGEST_LINE = 2**16
TICK_SECONDS = 0.05
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
FOLDER_VARIABLE, WORKER_VARIABLE = "SUREFOOT_RUN_FOLDER", "SUREFOOT_WORKER"

_running: set[Script] = set()


class Script:
    """Guards one started command; use it as a context manager, in the thread that made it."""

    def __init__(self, arguments: Sequence[str], *, environment: Mapping[str, str], folder: str, output: Output):
        """Starts it. Raises RunFailed where that cannot be done."""
        _adopt_orphans()
        self._others = frozenset(_children()) if _has_children() else frozenset()
        self._output = output
        self._selector = selectors.DefaultSelector()
        self._descriptors: list[int] = []
        self.heard_at = time.monotonic()
        try:
            self._process = subprocess.Popen(
                [located(arguments[0], environment.get("PATH", os.defpath), folder), *arguments[1:]],
                env=dict(environment),
                cwd=folder or None,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if output.is_last_line_wanted else subprocess.STDOUT,
                bufsize=0,
                process_group=0,
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL, which no argument can hold
            said = getattr(error, "strerror", None) or str(error)
            where = folder if getattr(error, "filename", None) == folder else arguments[0]
            raise RunFailed(f"cannot start {quoted(where)}: {said}") from None
        _running.add(self)
        for stream, is_words in ((self._process.stdout, True), (self._process.stderr, False)):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                self._selector.register(stream, selectors.EVENT_READ, is_words)
        self._watch_end()

    def __enter__(self) -> Script:
        """The started command."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends whatever is left of it at once; `end` it before to give it a grace."""
        self.kill()
        _running.discard(self)
        self._selector.close()
        for descriptor in self._descriptors:
            os.close(descriptor)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    @property
    def has_ended(self) -> bool:
        """Whether the command itself is gone; what it started may not be."""
        return self._process.poll() is not None

    @property
    def code(self) -> int:
        """The exit code, or minus the signal that killed it."""
        assert self._process.returncode is not None
        return self._process.returncode

    def wait(self, seconds: float = TICK_SECONDS) -> None:
        """Waits a moment for output or the end, and takes the output that is there."""
        for key, _ in self._selector.select(seconds):
            if isinstance(key.fileobj, int):
                continue
            self._take(key.fileobj, key.data)

    def end(self, grace_seconds: float) -> int:
        """Ends the command and all that it started, with a grace; returns how many processes had outlived it."""
        if not self.has_ended:
            self._signal_group(signal.SIGTERM)
            self._signal_group(signal.SIGCONT)  # one that was stopped cannot heed the other
            self._drain_until(lambda: self.has_ended, grace_seconds)
        outlived = self._left() if self.has_ended else []
        for process in outlived:
            _signal(process, signal.SIGTERM)
        if outlived:
            self._drain_until(lambda: not self._left(), grace_seconds)
        self.kill()
        self._drain_until(lambda: True, 0.0)
        return len(outlived)

    def kill(self) -> None:
        """Kills the command and all that it started; safe in any thread."""
        if self._process.returncode is not None and not _has_children():
            return
        self._signal_group(signal.SIGKILL)
        # What is being forked in this moment is seen in the next round.
        for _ in range(100):
            left = self._left()
            if not left:
                break
            for process in left:
                _signal(process, signal.SIGKILL)
            time.sleep(0.005)
        self._process.wait()

    def _watch_end(self) -> None:
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # a kernel before 5.3, or a sandbox; then the end is seen a tick later
                descriptor = os.pidfd_open(self._process.pid)
                self._descriptors.append(descriptor)
                self._selector.register(descriptor, selectors.EVENT_READ)

    def _drain_until(self, is_over: Any, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not is_over() and time.monotonic() < deadline:
            self.wait()
        while any(self._take(key.fileobj, key.data) for key in self._streams()):
            pass

    def _streams(self) -> list[selectors.SelectorKey]:
        return [key for key in self._selector.get_map().values() if not isinstance(key.fileobj, int)]

    def _take(self, stream: Any, is_words: bool) -> bool:
        try:
            data = os.read(stream.fileno(), CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._selector.unregister(stream)
            return False
        self.heard_at = time.monotonic()
        self._output.take(data, is_words)
        return True

    def _left(self) -> list[int]:
        """What the command started and is still there, the command itself left out."""
        if not _has_children():
            return []
        found = [child for child in _children() if child not in self._others and child != self._process.pid]
        return [child for child in found if not _reaped(child)]

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
        self._process.send_signal(number)  # which may have left its group


class Output:
    """Guards what a command prints: keeps its first and last part in a file, and hands whole lines to the readers."""

    def __init__(self, path: Path, *, kept_bytes: int, readers: Sequence[Any], is_last_line_wanted: bool = False):
        self.is_last_line_wanted = is_last_line_wanted
        self.bytes = self.lines = 0
        self.last_line = ""
        self._file = KeptEnds(path, kept_bytes)
        self._readers = readers
        self._parts = {True: _Lines(), False: _Lines()}

    def take(self, data: bytes, is_words: bool) -> None:
        """Takes what was read; `is_words` for standard output, where the two streams are told apart."""
        self.bytes += len(data)
        self._file.write(data)
        self._read(self._parts[is_words].pages(data), is_words)

    def close(self) -> None:
        """Reads a last line without an end, and puts the file in order."""
        for is_words, lines in self._parts.items():
            self._read(lines.rest(), is_words)
        self._file.close()

    @property
    def left_out_bytes(self) -> int:
        """How much of it was not kept."""
        return self._file.left_out_bytes

    def _read(self, pages: Iterator[str], is_words: bool) -> None:
        for coloured in pages:
            page = COLOURS.sub("", coloured) if "\x1b" in coloured else coloured
            self.lines += page.count("\n") + 1
            self.last_line = page.rstrip().rpartition("\n")[2].strip() or self.last_line
            for reader in self._readers:
                if is_words or not getattr(reader, "is_of_standard_output", False):
                    reader.read(page)


class KeptEnds:
    """Guards a file that keeps the first and the last `kept_bytes` of what is written to it."""

    def __init__(self, path: Path, kept_bytes: int):
        self._path, self._kept = path, kept_bytes
        self._head: IO[bytes] = path.open("ab", buffering=0)
        self._room = max(0, kept_bytes - os.fstat(self._head.fileno()).st_size)
        self._tail: IO[bytes] | None = None
        self._tail_bytes = 0

    def write(self, data: bytes) -> None:
        """Appends to the first part, or once that is full over the oldest of the last."""
        if self._room:
            self._head.write(data[: self._room])
            data, self._room = data[self._room :], max(0, self._room - len(data))
        while data:
            if self._tail is None:
                self._tail = self._path.with_name(f"{self._path.name}.last").open("w+b", buffering=0)
            at = self._tail_bytes % self._kept
            part, data = data[: self._kept - at], data[self._kept - at :]
            self._tail.seek(at)
            self._tail.write(part)
            self._tail_bytes += len(part)

    @property
    def left_out_bytes(self) -> int:
        """How much was written and is not kept."""
        return max(0, self._tail_bytes - self._kept)

    def close(self) -> None:
        """Puts the last part behind the first, with a line between them that says what is left out."""
        if self._head.closed:
            return
        if self._tail is not None:
            oldest = self._tail_bytes % self._kept
            if self.left_out_bytes:
                self._head.write(f"\n[… {self.left_out_bytes:,} bytes are left out here …]\n".encode())
                self._copy(oldest, self._kept)
                self._copy(0, oldest)
            else:
                self._copy(0, self._tail_bytes)
            self._tail.close()
            Path(self._tail.name).unlink(missing_ok=True)
        self._head.close()

    def _copy(self, begin: int, end: int) -> None:
        assert self._tail is not None
        self._tail.seek(begin)
        while begin < end:
            part = self._tail.read(min(CHUNK_BYTES, end - begin))
            self._head.write(part)
            begin += len(part)


class _Lines:
    """Guards the cutting of a stream into whole lines; what is longer than any line should be is cut off."""

    def __init__(self) -> None:
        self._begun = b""
        self._is_cut = False

    def pages(self, data: bytes) -> Iterator[str]:
        """The lines that are whole by now, joined; a carriage return ends a line, as in a progress bar."""
        whole, newline, rest = data.replace(b"\r", b"\n").rpartition(b"\n")
        if not newline:
            self._begin(rest)
            return
        if self._is_cut:
            _, newline, whole = whole.partition(b"\n")
            whole = self._begun + newline + whole
        else:
            whole = self._begun + whole
        self._begun, self._is_cut = b"", False
        self._begin(rest)
        yield whole.decode("utf-8", "replace")

    def rest(self) -> Iterator[str]:
        """The line that was begun and has no end."""
        if self._begun:
            yield self._begun.decode("utf-8", "replace")
        self._begun = b""

    def _begin(self, rest: bytes) -> None:
        if self._is_cut:
            return
        self._begun += rest
        if len(self._begun) > LONGEST_LINE:
            self._begun, self._is_cut = self._begun[:LONGEST_LINE], True


def located(program: str, path: str, folder: str) -> str:
    """The program as it can be started from the folder: a name is looked for on the path.

    Raises RunFailed where it is not there.
    """
    if os.sep in program:
        if os.path.exists(os.path.join(folder, program)):
            return program
        raise RunFailed(f"cannot start {quoted(program)}: there is no such file in {folder or os.getcwd()}")
    found = shutil.which(program, path=path)
    if found is None:
        is_here = os.path.isfile(os.path.join(folder, program))
        advice = f"; it lies in the command's folder: write ./{program}" if is_here else ""
        raise RunFailed(f"cannot start {quoted(program)}: no program of that name is on the PATH{advice}")
    return os.path.abspath(found)


def kill_all() -> None:
    """Kills every command that this process has running; for the moment before it ends itself."""
    for script in tuple(_running):
        with contextlib.suppress(Exception):
            script.kill()


def end_those_of(worker: int) -> int:
    """Kills what the commands of a worker process that is gone have left; returns how many processes that were."""
    return _kill_where(lambda environment, _: environment.get(WORKER_VARIABLE) == str(worker))


def end_orphans(home: Path) -> int:
    """Kills the commands of runs in this home whose worker is gone; returns how many processes that were.

    For a coordinator that begins: one that was killed together with its workers may have left some.
    """
    beginning = os.path.join(os.path.realpath(home), "")

    def is_orphan(environment: Mapping[str, str], ancestors: set[int]) -> bool:
        folder, worker = environment.get(FOLDER_VARIABLE, ""), environment.get(WORKER_VARIABLE, "")
        is_ours = folder != "" and os.path.realpath(folder).startswith(beginning)
        return is_ours and worker.isdigit() and int(worker) not in ancestors

    return _kill_where(is_orphan)


def _kill_where(is_meant: Any) -> int:
    import psutil

    killed: set[int] = set()
    for _ in range(20):
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                environment = process.environ()
                if WORKER_VARIABLE not in environment or process.pid == os.getpid():
                    continue
                if is_meant(environment, {parent.pid for parent in process.parents()}):
                    found.append(process)
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
                killed.add(process.pid)
        if not found:
            break
        psutil.wait_procs(found, timeout=0.5)
    return len(killed)


@functools.cache
def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _has_children() -> bool:
    """Whether this process has any child, asked without reaping it: the quick way to learn that nothing is left."""
    if not hasattr(os, "waitid"):
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children() -> list[int]:
    """All descendants of this process, the nearest first."""
    import psutil

    try:
        return [child.pid for child in psutil.Process().children(recursive=True)]
    except psutil.Error:
        return []


def _reaped(child: int) -> bool:
    """Whether an adopted child had ended, and is now done with."""
    try:
        return os.waitpid(child, os.WNOHANG)[0] == child
    except ChildProcessError:  # a grandchild: its own parent's to reap
        return not _is_running(child)


def _is_running(process: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _signal(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)
