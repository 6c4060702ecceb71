"""A trained net rewritten for inference alone: the same function in fewer steps.

Notable choices:
- Dropout goes; a batch norm that directly follows a convolution goes into its weights (Jacob et al., 2018, eq. 14).
- The division by the pixels' deviation goes into the first convolution. The subtraction of their mean stays: zeros
  padded around an image stand for the mean pixel, and would stand for black.
- Only what is safe is folded: a layer used twice, or a convolution whose output goes elsewhere too, is left alone;
  a net whose control flow depends on its data is left as it is.
- Not part of any training, and so of no code fingerprint.
"""

from __future__ import annotations

import copy
from collections import Counter

import torch
from torch import Tensor, fx, nn

from surefoot.workloads.predicting import OfPixels


def folded(model: OfPixels, layout: torch.memory_format) -> nn.Module:
    """A copy of the model in eval mode that gives the same logits up to rounding, without gradients."""
    found = copy.deepcopy(model).eval().requires_grad_(False)
    try:
        net = fx.symbolic_trace(found.net)
    except Exception:  # tracing fails in as many ways as a forward pass can be written
        return found
    _fold_layers(net)
    first = _first_convolution(net)
    if first is not None:
        first.weight.div_(found.deviations)
        found.deviations.fill_(1.0)
    found.net = net.to(memory_format=layout)  # type: ignore[call-overload]
    return _Centred(found) if first is not None else found


class _Centred(nn.Module):
    """A net whose first convolution divides by the deviations itself."""

    means: Tensor

    def __init__(self, model: OfPixels) -> None:
        super().__init__()
        self.net = model.net
        self.register_buffer("means", model.means)

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.net(pixels - self.means)
        return logits


def _fold_layers(net: fx.GraphModule) -> None:
    uses = _uses(net)
    for node in list(net.graph.nodes):
        layer = _layer(net, node)
        if isinstance(layer, nn.modules.dropout._DropoutNd):
            _skip(net, node)
        elif isinstance(layer, nn.BatchNorm2d):
            before = node.args[0]
            convolution = _layer(net, before)
            if not isinstance(convolution, nn.Conv2d) or len(before.users) > 1 or not layer.track_running_stats:
                continue
            if uses[before.target] == uses[node.target] == 1:
                net.set_submodule(before.target, nn.utils.fuse_conv_bn_eval(convolution, layer))
                _skip(net, node)
    net.graph.lint()
    net.delete_all_unused_submodules()
    net.recompile()


def _first_convolution(net: fx.GraphModule) -> nn.Conv2d | None:
    """The convolution that alone sees the images; None where there is none that the deviations can be folded into."""
    images = next(node for node in net.graph.nodes if node.op == "placeholder")
    if len(images.users) != 1:
        return None
    (node,) = images.users
    layer = _layer(net, node)
    if isinstance(layer, nn.Conv2d) and layer.groups == 1 and _uses(net)[node.target] == 1:
        return layer
    return None


def _layer(net: fx.GraphModule, node: object) -> nn.Module | None:
    is_layer = isinstance(node, fx.Node) and node.op == "call_module"
    return net.get_submodule(str(node.target)) if is_layer else None  # type: ignore[attr-defined]


def _uses(net: fx.GraphModule) -> Counter[object]:
    return Counter(node.target for node in net.graph.nodes if node.op == "call_module")


def _skip(net: fx.GraphModule, node: fx.Node) -> None:
    node.replace_all_uses_with(node.args[0])  # type: ignore[arg-type]
    net.graph.erase_node(node)
