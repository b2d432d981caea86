"""Pictures and an exported model in, what the model says about each out, ready to be corrected."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from defectseg.data.exports.item import ExportItem
from defectseg.data.layouts.layout import Batch
from defectseg.data.picture import decode_picture
from defectseg.errors import DataError
from defectseg.inference.open_engine import LoadedEngine
from defectseg.inference.predictor import predict


def predict_items(
    pictures: Iterable[tuple[str, Path]], engine: LoadedEngine
) -> Iterator[ExportItem]:
    """Predict pictures by (id, file), one at a time.

    Raises:
        DataError: A picture cannot be read.
    """
    facts = engine.facts
    batch = Batch(
        labelled_by=f"defectseg model {facts.weights_sha256[:12]}", label_tool="defectseg"
    )
    for picture_id, path in pictures:
        try:
            picture = decode_picture(path.read_bytes(), facts.channels)
        except (DataError, OSError) as error:
            raise DataError(f"{path.name} cannot be predicted: {error}") from error
        prediction = predict(engine, picture, facts.point)
        yield ExportItem(picture_id, path, prediction.mask, batch, prediction.score)
