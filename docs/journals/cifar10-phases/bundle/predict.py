"""Says what class the bundled model takes each image for: python predict.py IMAGES.npy

IMAGES.npy holds pixels as the data set does: one image of shape (channels, height, width), or many of shape
(n, channels, height, width). Pictures are first made one, as by
np.save("IMAGES.npy", np.atleast_3d(PIL.Image.open("picture.png")).transpose(2, 0, 1)).
Needs numpy and onnxruntime.
"""

import sys

import numpy as np
import onnxruntime

CLASSES = ('airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck')

session = onnxruntime.InferenceSession(f"{sys.path[0]}/model.onnx", providers=["CPUExecutionProvider"])
shape = tuple(session.get_inputs()[0].shape[1:])
pixels = np.load((sys.argv[1:] or sys.exit(__doc__))[0]).astype(np.float32)
if pixels.shape[-3:] != shape:
    sys.exit(f"{sys.argv[1]}: an image must be of shape {shape} (channels, height, width); got {pixels.shape}")
for logits in session.run(None, {"pixels": pixels.reshape(-1, *shape)})[0]:
    print(CLASSES[logits.argmax()])
