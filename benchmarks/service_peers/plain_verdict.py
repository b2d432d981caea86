"""A picture in, all that our service replies out: a plain FastAPI handler around our own package.

The same work for the same reply, but no admission, queue, deadlines, limits and metrics: what those
cost. It runs in our environment with uvicorn's default settings.
"""

import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI, UploadFile

from defectseg.data.picture import decode_picture
from defectseg.inference.onnx_engine import OnnxEngine
from defectseg.inference.predictor import predict
from defectseg.inference.result import to_result

engine = OnnxEngine(Path(os.environ["PEER_MODEL"]), int(os.environ["PEER_THREADS"]))
facts = engine.facts
app = FastAPI()


@app.post("/predict")
def analyze(image: UploadFile) -> Any:
    picture = decode_picture(image.file.read(), facts.channels)
    found = predict(engine, picture, facts.point)
    model = {"version": facts.package_version, "sha256": facts.weights_sha256}
    return to_result(image.filename or "", found, facts.classes, model, {})
