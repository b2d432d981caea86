"""Clients that post a good picture all the time, as a line does, and what each of them saw."""

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from hostile_files import GOOD, GOOD_BOXES
from http_sockets import Answer, Wire, ask, request, upload

PAUSE_S = 0.005  # of a client between two pictures
PROBE_S = 0.05
PROBES = 3  # that must fail one after the other


@dataclass
class Load:
    """Some clients, each on a connection of its own that it keeps as long as the service does."""

    port: int
    clients: int = 4
    content: bytes = field(default_factory=lambda: upload(GOOD))
    keeps: bool = True  # its connection, rather than a new one for each request
    answers: list[tuple[float, Answer]] = field(default_factory=list)  # when each was asked for
    errors: list[tuple[float, Exception]] = field(default_factory=list)  # when each came
    may_send: threading.Event = field(default_factory=threading.Event)
    _is_over: bool = False
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.may_send.set()
        self._threads = [threading.Thread(target=self._go_on) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Send nothing more, and wait for the replies to what was sent."""
        self._is_over = True
        self.may_send.set()
        for thread in self._threads:
            thread.join()

    def codes(self) -> dict[str, int]:
        """How often each code came."""
        codes = [answer.code for _, answer in list(self.answers)]
        return {code: codes.count(code) for code in set(codes)}

    def models(self) -> set[str]:
        """The hashes of the models that answered."""
        told = [answer.json() for _, answer in list(self.answers) if answer.status == 200]
        return {answer["model"]["sha256"] for answer in told}

    def assert_all_right(self) -> None:
        """No error, and every answer is the right one."""
        assert not self.errors, self.errors[:5]
        assert set(self.codes()) == {"OK"}, self.codes()
        for _, answer in self.answers:
            defects = answer.json()["defects"]
            assert {defect["defect_class"]: defect["box"] for defect in defects} == GOOD_BOXES

    def _go_on(self) -> None:
        """One client; it ends at its first error."""
        wire: Wire | None = None
        try:
            while not self._is_over:
                if not self.may_send.wait(PROBE_S) or self._is_over:
                    continue
                wire = wire or Wire(self.port)
                asked_at = time.monotonic()
                answer = wire.ask(self.content)
                self.answers.append((asked_at, answer))
                if not self.keeps or answer.headers.get("connection") == "close":
                    wire.socket.close()
                    wire = None
                time.sleep(PAUSE_S)
        except (OSError, EOFError) as error:
            self.errors.append((time.monotonic(), error))
        finally:
            if wire is not None:
                wire.socket.close()


def probe(load: Load) -> None:
    """Do as a balancer: ask /ready again and again, and send nothing more once it is out."""
    failed = 0
    while failed < PROBES:
        failed = 0 if ask(load.port, request("/ready")).status == 200 else failed + 1
        time.sleep(PROBE_S)
    load.may_send.clear()
