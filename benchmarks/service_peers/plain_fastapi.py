"""A picture in, its mask as PNG out: FastAPI's own way of a file upload around ONNX Runtime.

Run with uvicorn and its default settings. A handler that is no coroutine runs in FastAPI's pool of
threads, as FastAPI's documentation wants it for work that blocks.
"""

import io
import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, Response, UploadFile
from PIL import Image

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(os.environ["PEER_THREADS"])
session = onnxruntime.InferenceSession(os.environ["PEER_MODEL"], options)
app = FastAPI()


@app.post("/predict")
def predict(image: UploadFile) -> Response:
    picture = np.asarray(Image.open(image.file).convert("L"))[None, :, :, None]
    _, mask = session.run(["probability", "mask"], {"pictures": picture})
    buffer = io.BytesIO()
    Image.fromarray(mask[0]).save(buffer, "PNG")
    return Response(buffer.getvalue(), media_type="image/png")
