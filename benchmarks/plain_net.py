"""A small classifier trained in plain numpy: layers, their gradient, and the optimisers.

For nets this small torch spends its time on being called: a step here costs about a sixth of torch's. The gradient is
torch's to rounding (tests/calibration/test_diagnosis_of_histories.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BATCH_NORM_EPSILON = 1e-5
ADAM = (0.9, 0.999, 1e-8)


class Net:
    """Weights of dense layers in one flat float32 vector, with its gradient beside it.

    `widths` are the numbers in, the units of the hidden layers and the classes. `patch` (positions, numbers) makes the
    first hidden layer a convolution: inputs come as patches of shape (n, positions, numbers), and widths[1] is its
    channels. `batch_norm` is the momentum of the running statistics of every hidden layer, 0 for none.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        rng: np.random.Generator,
        activation: str = "relu",
        batch_norm: float = 0.0,
        dropout: float = 0.0,
        patch: tuple[int, int] | None = None,
    ) -> None:
        self.activation, self.batch_norm, self.dropout, self.rng = activation, batch_norm, dropout, rng
        shapes = []
        fan_ins = list(widths[:-1])
        if patch:
            fan_ins[:2] = [patch[1], patch[0] * widths[1]]
        for layer, (n_in, n_out) in enumerate(zip(fan_ins, widths[1:], strict=True)):
            shapes += [(n_in, n_out), (n_out,)]
            if batch_norm and layer < len(widths) - 2:
                shapes += [(n_out,), (n_out,)]
        self.flat = np.zeros(sum(map(np.prod, shapes)), dtype=np.float32)
        self.gradient = np.zeros_like(self.flat)
        values, gradients = (views(vector, shapes) for vector in (self.flat, self.gradient))
        size = 4 if batch_norm else 2
        hidden = size * (len(widths) - 2)
        starts = [*range(0, hidden, size), hidden]
        self.layers = [values[i : i + size] for i in starts]
        self.gradients = [gradients[i : i + size] for i in starts]
        self.running = [(np.zeros(w, np.float32), np.ones(w, np.float32)) for w in widths[1:-1]]
        for weights, bias, *norm in self.layers:
            bound = 1 / np.sqrt(len(weights))  # as torch begins a Linear
            weights[:] = rng.uniform(-bound, bound, weights.shape)
            bias[:] = rng.uniform(-bound, bound, bias.shape)
            if norm:
                norm[0][:] = 1.0

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Of examples, in eval mode."""
        for (weights, bias, *norm), (mean, variance) in zip(self.layers[:-1], self.running, strict=True):
            z = x @ weights + bias
            if norm:
                z = (z - mean) / np.sqrt(variance + BATCH_NORM_EPSILON) * norm[0] + norm[1]
            x = flattened(activated(z, self.activation))
        return x @ self.layers[-1][0] + self.layers[-1][1]

    def learn(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        """Mean loss and share right of the batch in training mode; leaves the loss's gradient in `gradient`."""
        kept = []
        for layer, (weights, bias, *norm) in enumerate(self.layers[:-1]):
            z = x @ weights + bias
            scale = normalised = None
            if norm:
                z, normalised, scale = self._normalised(z, layer, *norm)
            a = activated(z, self.activation)
            kept.append((x, z, a, normalised, scale))
            x = flattened(a)
            if self.dropout:
                mask = (self.rng.random(x.shape, dtype=np.float32) >= self.dropout) / np.float32(1 - self.dropout)
                x = x * mask
                kept[-1] += (mask,)
        logits = x @ self.layers[-1][0] + self.layers[-1][1]
        losses, shares = cross_entropy(logits, y)
        shares[np.arange(len(y)), y] -= 1
        d = shares / np.float32(len(y))
        self._into(-1, x, d)
        d = d @ self.layers[-1][0].T
        for layer in range(len(kept) - 1, -1, -1):
            x, z, a, normalised, scale, *mask = kept[layer]
            if mask:
                d = d * mask[0]
            d = d.reshape(a.shape) * slope(z, a, self.activation)
            if scale is not None:
                d = self._through_norm(layer, d, normalised, scale)
            self._into(layer, x, d)
            if layer:
                d = d @ self.layers[layer][0].T
        return float(losses.mean()), float((logits.argmax(1) == y).mean())

    def _normalised(self, z: np.ndarray, layer: int, gain: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, ...]:
        mean, variance = z.mean(0), z.var(0)
        unbiased = variance * (len(z) / max(len(z) - 1, 1))
        self.running[layer] = tuple(
            before + np.float32(self.batch_norm) * (seen - before)
            for before, seen in zip(self.running[layer], (mean, unbiased), strict=True)
        )
        scale = 1 / np.sqrt(variance + BATCH_NORM_EPSILON)
        normalised = (z - mean) * scale
        return normalised * gain + shift, normalised, scale

    def _through_norm(self, layer: int, d: np.ndarray, normalised: np.ndarray, scale: np.ndarray) -> np.ndarray:
        _, _, d_gain, d_shift = self.gradients[layer]
        d_gain[:], d_shift[:] = (d * normalised).sum(0), d.sum(0)
        d = d * self.layers[layer][2]
        return scale * (d - d.mean(0) - normalised * (d * normalised).mean(0))

    def _into(self, layer: int, x: np.ndarray, d: np.ndarray) -> None:
        d_weights, d_bias = self.gradients[layer][:2]
        x, d = x.reshape(-1, x.shape[-1]), d.reshape(-1, d.shape[-1])
        np.matmul(x.T, d, out=d_weights)
        d.sum(0, out=d_bias)


def views(vector: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Pieces of the vector, one after the other, in these shapes."""
    pieces, start = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        pieces.append(vector[start : start + size].reshape(shape))
        start += size
    return pieces


def flattened(a: np.ndarray) -> np.ndarray:
    """Of shape (n, numbers): positions and channels of a convolution in one."""
    return a.reshape(len(a), -1)


def activated(z: np.ndarray, name: str) -> np.ndarray:
    if name == "relu":
        return np.maximum(z, 0)
    if name == "tanh":
        return np.tanh(z)
    return 0.5 * (1 + np.tanh(0.5 * z))


def slope(z: np.ndarray, a: np.ndarray, name: str) -> np.ndarray:
    if name == "relu":
        return z > 0
    return 1 - a * a if name == "tanh" else a * (1 - a)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loss of each example, and the probabilities of shape (n, classes)."""
    shifted = logits - logits.max(1, keepdims=True)
    powers = np.exp(shifted)
    total = powers.sum(1, keepdims=True)
    return np.log(total[:, 0]) - shifted[np.arange(len(labels)), labels], powers / total


class Optimizer:
    """SGD with momentum, or Adam with its decay decoupled (Loshchilov and Hutter, 2019), over a net's flat vector."""

    def __init__(self, net: Net, name: str, *, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        self.net, self.name, self.momentum, self.weight_decay = net, name, momentum, weight_decay
        self.first, self.second = np.zeros_like(net.flat), np.zeros_like(net.flat)
        self.step = 0

    def update(self, rate: float) -> None:
        """The weights after one step at this rate."""
        self.step += 1
        weights, gradient = self.net.flat, self.net.gradient
        if self.name == "sgd":
            if self.weight_decay:
                gradient = gradient + np.float32(self.weight_decay) * weights
            self.first *= self.momentum
            self.first += gradient
            weights -= np.float32(rate) * self.first
            return
        beta1, beta2, epsilon = ADAM
        if self.weight_decay:
            weights *= np.float32(1 - rate * self.weight_decay)
        self.first += np.float32(1 - beta1) * (gradient - self.first)
        self.second += np.float32(1 - beta2) * (gradient * gradient - self.second)
        size = np.sqrt(self.second / np.float32(1 - beta2**self.step)) + np.float32(epsilon)
        weights -= np.float32(rate / (1 - beta1**self.step)) * self.first / size
