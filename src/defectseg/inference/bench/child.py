"""A contender in, a process of its own that answers what is asked about it out."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from typing import Any, Self

from defectseg.errors import ModelFileError
from defectseg.inference.bench.contender import Contender

START = "from defectseg.inference.bench.worker import main; main()"
# Threads of torch that wait by sleeping, as the pipeline has it: see dvc.yaml.
QUIET = {"OMP_WAIT_POLICY": "passive", "PYTHONWARNINGS": "ignore"}


class Child:
    """`worker.py` in a process that ends with the `with` block."""

    def __init__(self, contender: Contender) -> None:
        """Start it; the engine opens meanwhile, so that several can be started at once."""
        self._label = contender.label
        self._process = subprocess.Popen(
            [sys.executable, "-c", START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={**QUIET, **os.environ},
        )
        self._name = ""
        self._send(engine=contender.engine, path=str(contender.path), threads=contender.threads)

    def name(self) -> str:
        """The engine's name, once it is open.

        Raises:
            ModelFileError: It cannot be opened; says why.
        """
        self._name = self._name or str(self._receive())
        return self._name

    def ask(self, what: str, **details: Any) -> Any:
        """Ask one of `worker.ANSWERS`.

        Raises:
            ModelFileError: The engine cannot be opened or failed, or its process died.
        """
        self.name()
        self._send(ask=what, **details)
        return self._receive()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        with suppress(BrokenPipeError):
            self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, **question: Any) -> None:
        stdin = self._process.stdin
        with suppress(BrokenPipeError, ValueError):  # `_receive` tells that it died or was closed
            if stdin is not None:
                stdin.write(json.dumps(question) + "\n")
                stdin.flush()

    def _receive(self) -> Any:
        stdout = self._process.stdout
        line = stdout.readline() if stdout is not None and not stdout.closed else ""
        if not line:
            status = self._process.wait()
            raise ModelFileError(f"{self._label}: its process died with status {status}")
        reply = json.loads(line)
        if "error" in reply:
            raise ModelFileError(f"{self._label}: {reply['error']}")
        return reply["answer"]
