"""A picture in, its mask as PNG out: the three steps of a LitServe API around ONNX Runtime.

Batches are left out: they gain nothing on a processor, and the pictures differ in size.
"""

import io
import os

import litserve
import numpy as np
import onnxruntime
from fastapi import Request, Response
from PIL import Image


class Segmentation(litserve.LitAPI):
    def setup(self, device):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["PEER_THREADS"])
        self.session = onnxruntime.InferenceSession(os.environ["PEER_MODEL"], options)

    def decode_request(self, request: Request):
        return np.asarray(Image.open(request["image"].file).convert("L"))[None, :, :, None]

    def predict(self, picture):
        return self.session.run(["probability", "mask"], {"pictures": picture})[1][0]

    def encode_response(self, mask) -> Response:
        buffer = io.BytesIO()
        Image.fromarray(mask).save(buffer, "PNG")
        return Response(buffer.getvalue(), media_type="image/png")


if __name__ == "__main__":
    workers = int(os.environ["PEER_WORKERS"])
    server = litserve.LitServer(Segmentation(), accelerator="cpu", workers_per_device=workers)
    server.run(host="127.0.0.1", port=int(os.environ["PEER_PORT"]), generate_client_file=False)
