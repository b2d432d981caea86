"""A picture in, its mask as PNG out: a BentoML service around ONNX Runtime, started by its command.

BentoML gives a PIL picture to the method and sends the picture that it returns.
"""

import os

import bentoml
import numpy as np
import onnxruntime
from PIL import Image
from PIL.Image import Image as Picture


@bentoml.service(workers=int(os.environ["PEER_WORKERS"]))
class Segmentation:
    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["PEER_THREADS"])
        self.session = onnxruntime.InferenceSession(os.environ["PEER_MODEL"], options)

    @bentoml.api
    def predict(self, image: Picture) -> Picture:
        picture = np.asarray(image.convert("L"))[None, :, :, None]
        _, mask = self.session.run(["probability", "mask"], {"pictures": picture})
        return Image.fromarray(mask[0])
