"""Systems in any language: a process that reads samples and writes predictions, both as JSON lines.

The process is started once and gets each sample as a line on standard input; it answers each with a line on standard
output, in any order. Its standard error is the user's to see.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread, Timer

from massie.adapters.lines import MAXIMAL_LINE, parse_prediction, sample_line
from massie.build import Benchmark
from massie.types import AdapterError, Prediction, Sample, SystemCard

_PATIENCE_SECONDS = 5.0


class Process:
    """Runs ``command`` (no shell) and speaks JSON lines with it; ``name`` is what the board calls the system.

    ``timeout`` is how many seconds an answer may take before the process is ended (and started anew for the next
    samples); by default it may take for ever.
    """

    def __init__(
        self, command: str, name: str | None = None, kind: str = "other", timeout: float | None = None
    ) -> None:
        if not isinstance(command, str):  # pyright: ignore[reportUnnecessaryIsInstance] (options come from outside)
            raise AdapterError(f"the adapter 'process': the option command is {command!r}, not a command line")
        self._arguments = shlex.split(command)
        if not self._arguments:
            raise AdapterError("the adapter 'process' needs a command: --option command='python my_system.py'")
        if timeout is not None and timeout <= 0:
            raise AdapterError(f"the adapter 'process' needs a timeout above 0 seconds, not {timeout}")
        self._program = Path(self._arguments[0]).name or command
        self._card = SystemCard.model_validate({"name": name or self._program, "kind": kind})
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: Thread | None = None

    def describe(self) -> SystemCard:
        """The card with the given name."""
        return self._card

    def prepare(self, benchmark: Benchmark) -> None:
        """Start the process: a command that cannot be started stops the run before its first sample."""
        self._started()

    def predict(self, samples: Sequence[Sample]) -> Iterator[Prediction]:
        """Send the samples and yield the answers as they come.

        Raises AdapterError where the process cannot be started, ends before it has answered, or exceeds the timeout,
        and PredictionsError where it writes what is no prediction. The process is then ended, as what it still had to
        say could not be told from later answers; the next call starts it anew.
        """
        process = self._started()
        self._writer = Thread(target=_send, args=(process, samples), daemon=True)
        self._writer.start()
        finished = False
        try:
            for answered in range(len(samples)):
                line = self._next_line(process, f"after {answered} of {len(samples)} answers")
                yield parse_prediction(line, f"standard output of {self._program!r}, answer {answered + 1}")
            self._writer.join(_PATIENCE_SECONDS)
            finished = not self._writer.is_alive()
        finally:
            if not finished:
                self.close()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        if self._writer is not None:
            self._writer.join()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # what is not flushed yet has no reader any more
                if pipe is not None:
                    pipe.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        try:
            self._process = subprocess.Popen(  # noqa: S603 (the user's own command, without a shell)
                self._arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        except OSError as error:
            raise AdapterError(
                f"cannot start {self._arguments[0]!r}: {error.strerror}; mend --option command=..."
            ) from error
        return self._process

    def _next_line(self, process: subprocess.Popen[bytes], when: str) -> bytes:
        """The next line of the process's output; raises AdapterError where none comes."""
        assert process.stdout is not None, "it is a pipe"
        started = time.monotonic()
        alarm = Timer(self._timeout or 0, process.kill)
        if self._timeout is not None:
            alarm.start()
        try:
            line = process.stdout.readline(MAXIMAL_LINE)
        finally:
            alarm.cancel()
        if line:
            return line
        if self._timeout is not None and time.monotonic() - started >= self._timeout:
            raise AdapterError(f"the process {self._program!r} was silent for {self._timeout} s {when}")
        try:
            ended = f"ended with exit code {process.wait(_PATIENCE_SECONDS)}"
        except subprocess.TimeoutExpired:
            ended = "closed its standard output"
        raise AdapterError(f"the process {self._program!r} {ended} {when}")


def _send(process: subprocess.Popen[bytes], samples: Sequence[Sample]) -> None:
    assert process.stdin is not None, "it is a pipe"
    try:
        for sample in samples:
            # A lone surrogate has no UTF-8; its escape is JSON all the same.
            process.stdin.write(sample_line(sample).encode(errors="backslashreplace") + b"\n")
        process.stdin.flush()
    except (OSError, ValueError):
        return  # the process has ended; whoever reads its answers says so
