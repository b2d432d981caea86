"""metrics/gates.json in; an error if a gate failed: such a model is not exported."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from defectseg.errors import ExportError

REPORT = Path("metrics/report/index.html")


class GateResult(BaseModel):
    """One of params.yaml: evaluate.gates, as the stage evaluate found it on the test part."""

    model_config = ConfigDict(frozen=True)

    metric: str
    limit: float
    is_floor: bool  # True: the value may not be below the limit; False: not above
    value: float | None  # None: undefined on this test part, which never passes
    passed: bool

    def describe(self) -> str:
        """Such as `iou_macro is 0.43, but must be at least 0.5`."""
        value = "undefined" if self.value is None else f"{self.value:.4g}"
        bound = "at least" if self.is_floor else "at most"
        return f"{self.metric} is {value}, but must be {bound} {self.limit:.4g}"


class Evaluation(BaseModel):
    """The content of metrics/gates.json."""

    gates: tuple[GateResult, ...]


def refuse_failed_gates(metrics: Path) -> None:
    """Raises: ExportError: A gate failed; names each. Or the file is not that of evaluate."""
    try:
        evaluation = Evaluation.model_validate_json(metrics.read_bytes())
    except (OSError, ValidationError) as error:
        raise ExportError(
            f"{metrics} does not say whether the gates passed: {error}; "
            "run the stage evaluate first"
        ) from error
    failed = [gate.describe() for gate in evaluation.gates if not gate.passed]
    if failed:
        raise ExportError(
            f"{len(failed)} of {len(evaluation.gates)} gates of params.yaml: evaluate.gates "
            "failed, so this model is not exported:\n"
            + "\n".join(f"  {line}" for line in failed)
            + f"\nsee {REPORT}; train a better model, or change the gates if they ask too much"
        )
