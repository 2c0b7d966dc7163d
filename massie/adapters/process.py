"""Systems in any language: a process that reads samples and writes predictions, both as JSON lines.

The process is started once and gets each sample as a line on standard input; it answers each with a line on standard
output, in any order. Its standard error is the user's to see.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator, Sequence
from threading import Thread

from massie.adapters.lines import MAXIMAL_LINE, parse_prediction, sample_line
from massie.types import AdapterError, Prediction, Sample, SystemCard


class Process:
    """Runs ``command`` (no shell) and speaks JSON lines with it; ``name`` is what the board calls the system."""

    def __init__(self, command: str, name: str | None = None, kind: str = "other") -> None:
        self._arguments = shlex.split(command)
        if not self._arguments:
            raise AdapterError("the adapter 'process' needs a command: --option command='python my_system.py'")
        self._card = SystemCard.model_validate({"name": name or self._arguments[0], "kind": kind})
        self._process: subprocess.Popen[bytes] | None = None

    def describe(self) -> SystemCard:
        """The card with the given name."""
        return self._card

    def predict(self, samples: Sequence[Sample]) -> Iterator[Prediction]:
        """Send the samples and yield the answers as they come.

        Raises AdapterError where the process cannot be started, ends before it has answered, or writes what is no
        prediction.
        """
        process = self._started()
        assert process.stdin is not None and process.stdout is not None, "both are pipes"
        writer = Thread(target=_send, args=(process, samples), daemon=True)
        writer.start()
        try:
            for answered in range(len(samples)):
                line = process.stdout.readline(MAXIMAL_LINE)
                if not line:
                    code = process.wait()
                    self._process = None
                    raise AdapterError(
                        f"the process {self._arguments[0]!r} ended with exit code {code} after {answered} of "
                        f"{len(samples)} answers"
                    )
                yield parse_prediction(line, f"standard output of {self._arguments[0]!r}, answer {answered + 1}")
        finally:
            if writer.is_alive():  # an answer was missing or broken: what is still to come cannot be told apart
                self.close()
            writer.join()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            try:
                self._process = subprocess.Popen(  # noqa: S603 (the user's own command, without a shell)
                    self._arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            except OSError as error:
                raise AdapterError(f"cannot start {self._arguments[0]!r}: {error.strerror}") from error
        return self._process


def _send(process: subprocess.Popen[bytes], samples: Sequence[Sample]) -> None:
    assert process.stdin is not None, "it is a pipe"
    try:
        for sample in samples:
            process.stdin.write(sample_line(sample).encode() + b"\n")
        process.stdin.flush()
    except (BrokenPipeError, ValueError):
        return  # the process has ended; whoever reads its answers says so
