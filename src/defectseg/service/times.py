"""When each stage of one picture began and ended: how long each took, and all waiting together."""

STAGES = ("read", "decode", "queue", "infer", "encode")  # in the order in which they are told


class Times:
    """Monotonic seconds. `queue` is all the time after reading in which nothing was done."""

    def __init__(self, came: float, read: float) -> None:
        """Args: when the headers of the request and the last byte of its body came."""
        self.spans: dict[str, tuple[float, float]] = {"read": (came, read)}

    def add(self, stage: str, began: float, ended: float) -> None:
        """One stage is done."""
        self.spans[stage] = (began, ended)

    def seconds(self) -> dict[str, float]:
        """Of each stage so far; together they are the time from the headers to the last stage."""
        done = {stage: ended - began for stage, (began, ended) in self.spans.items()}
        last = max(ended for _, ended in self.spans.values())
        working = sum(value for stage, value in done.items() if stage != "read")
        done["queue"] = max(last - self.spans["read"][1] - working, 0.0)
        return {stage: done[stage] for stage in STAGES if stage in done}

    def milliseconds(self, digits: int) -> dict[str, float]:
        """The same for people, rounded."""
        return {stage: round(1000 * value, digits) for stage, value in self.seconds().items()}
