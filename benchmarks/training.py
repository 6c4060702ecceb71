"""How fast `fashion_mnist` trains: our loop against a plain DataLoader loop and a bare loop over tensors.

All sides train stack(4, 32) at batch 64 on two cores, in turns, in processes that stay alive:
- ours: 2 processes x 1 thread, each running `surefoot.workloads.training.fit`, as two workers of a study do
- bare: 2 processes x 1 thread, `for batch in order:` over normalised float tensors, plain Adam, torch's own layers
- loader: a Dataset whose __getitem__ makes a float of an image, a DataLoader, the default threads, 1 process
- loader x 2: the same in 2 processes x 1 thread

Every side starts from the same weights and sees the same images in the same order. The time is that of the training
steps alone: making tensors and evaluating is left out on all sides. A rate is images per second over all the
processes of a side; a ratio is the median over rounds of ours / theirs within the round.

    python benchmarks/training.py [--data FOLDER] [--rounds N] [--json FILE]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

from figures import Figure, at_least, at_most, publish
from surefoot.workload import RunContext
from surefoot.workloads import datasets
from surefoot.workloads.fashion_mnist import Config

NORMS = ("none", "batch", "instance")
SIDES = {"ours": (2, 1), "bare": (2, 1), "loader": (1, 2), "loader x 2": (2, 1)}  # processes, threads each
TARGETS = {"bare": 0.95, "loader": 1.25, "loader x 2": 1.25}
LOSS_TOLERANCE = 1e-3


def ours(config: Config, train: datasets.Examples, seed: int, threads: int) -> tuple[float, float]:
    """Seconds of the training steps, and the mean loss over them."""
    from surefoot.workloads import networks, training

    def build(seed: int):
        return networks.seeded(networks.stack(config.layers, config.filters, config.norm), seed)

    few = datasets.Examples(images=train.images[:64], labels=train.labels[:64])
    with tempfile.TemporaryDirectory() as folder:
        run = training.fit(build, train, few, config, RunContext(seed=seed, artifacts=Path(folder), threads=threads))
        while True:
            try:
                measurement = next(run)
            except StopIteration as end:
                return end.value["seconds_per_step"] * end.value["steps"], measurement.values["train_loss"]


def bare(config: Config, train: datasets.Examples, seed: int, threads: int) -> tuple[float, float]:
    """The same from a loop that does nothing but train, over tensors in memory."""
    import torch
    from torch.nn import functional

    from surefoot.workloads import training

    torch.set_num_threads(threads)
    net = plain_net(config, seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    (mean,), (deviation,) = training.pixel_statistics(train)
    images = ((torch.tensor(train.images, dtype=torch.float32) - mean) / deviation).unsqueeze(1)
    labels = torch.tensor(train.labels)
    order = list(training.batches(len(train), config.batch_size, config.steps, seed))
    total = torch.zeros(())
    started = time.perf_counter()
    for batch in order:
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        total += loss.detach()
    return time.perf_counter() - started, total.item() / config.steps


def loader(config: Config, train: datasets.Examples, seed: int, threads: int) -> tuple[float, float]:
    """The same as most people write it. A list of the seed's order stands in for shuffle=True, at the same cost."""
    import torch
    from torch.nn import functional
    from torch.utils.data import DataLoader, Dataset

    from surefoot.workloads import training

    class FashionMNIST(Dataset):
        def __init__(self, images, labels, mean: float, deviation: float) -> None:
            self.images, self.labels, self.mean, self.deviation = images, labels, mean, deviation

        def __len__(self) -> int:
            return len(self.labels)

        def __getitem__(self, index: int):
            image = torch.from_numpy(self.images[index]).float()
            return ((image - self.mean) / self.deviation).unsqueeze(0), int(self.labels[index])

    torch.set_num_threads(threads)
    net = plain_net(config, seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    (mean,), (deviation,) = training.pixel_statistics(train)
    dataset = FashionMNIST(train.images.copy(), train.labels, mean, deviation)
    order = torch.cat(list(training.batches(len(train), config.batch_size, config.steps, seed))).tolist()
    total = 0.0
    started = time.perf_counter()
    for images, labels in DataLoader(dataset, batch_size=config.batch_size, sampler=order):
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return time.perf_counter() - started, total / config.steps


def plain_net(config: Config, seed: int):
    """The net of torch's own layers, with the weights our net starts from."""
    from torch import nn

    from surefoot.workloads import networks

    net = networks.stack(config.layers, config.filters, config.norm)
    for name, layer in list(net.named_children()):
        if isinstance(layer, networks.InstanceNorm2d):
            setattr(net, name, nn.InstanceNorm2d(config.filters))
    return networks.seeded(net, seed)


TRAIN = {"ours": ours, "bare": bare, "loader": loader, "loader x 2": loader}


def work(side: str, threads: int, data: Path | None, orders, barrier) -> None:
    """A process of one side: trains what it is told, starting together with its siblings."""
    train = datasets.load("fashion_mnist", "train", RunContext(seed=0, artifacts=Path("."), data_root=data))
    while (order := orders.recv()) is not None:
        norm, steps, seed = order
        barrier.wait()
        orders.send(TRAIN[side](Config(norm=norm, steps=steps, eval_every=steps), train, seed, threads))


def measured(pipes, norm: str, steps: int, round_number: int) -> tuple[float, float]:
    """Images per second over all processes of a side, and its first process's loss."""
    for index, pipe in enumerate(pipes):
        pipe.send((norm, steps, 100 * round_number + index))
    answers = [pipe.recv() for pipe in pipes]
    return sum(steps * Config().batch_size / seconds for seconds, _ in answers), answers[0][1]


def started_sides(data: Path | None):
    """The processes of every side, our ends of the pipes to them, and what must outlive their start."""
    context = get_context("spawn")
    processes, pipes, barriers = [], {}, []
    for side, (count, threads) in SIDES.items():
        barrier = context.Barrier(count)
        barriers.append(barrier)  # a barrier dropped here would be gone before its processes open it
        pipes[side] = []
        for _ in range(count):
            here, there = context.Pipe()
            process = context.Process(target=work, args=(side, threads, data, there, barrier), daemon=True)
            process.start()
            there.close()
            processes.append(process)
            pipes[side].append(here)
    return processes, pipes, barriers


def benchmark(data: Path | None, rounds: int, steps: int) -> dict:
    """Rates, ratios and losses of every norm."""
    processes, pipes, _barriers = started_sides(data)
    result = {}
    for norm in NORMS:
        # this round is not timed, since the first steps also allocate; five steps are too few to amplify rounding
        first = {side: measured(pipes[side], norm, 5, 0)[1] for side in SIDES}
        table = []
        for number in range(rounds):
            turn = number % len(SIDES)  # each side comes first as often as any other
            sides = [*list(SIDES)[turn:], *list(SIDES)[:turn]]
            table.append({side: measured(pipes[side], norm, steps, number + 1) for side in sides})
        rates = {side: statistics.median(row[side][0] for row in table) for side in SIDES}
        ratios = {side: statistics.median(row["ours"][0] / row[side][0] for row in table) for side in TARGETS}
        apart = max(abs(first["ours"] / first[side] - 1) for side in TARGETS)
        result[norm] = {"images_per_second": rates, "ours_over": ratios, "largest_relative_loss_difference": apart}
        show(norm, result[norm])
    for side in SIDES:
        for pipe in pipes[side]:
            pipe.send(None)
    for process in processes:
        process.join()
    return result


def show(norm: str, figures: dict) -> None:
    """Prints one norm's figures."""
    rates, ratios = figures["images_per_second"], figures["ours_over"]
    print(f"\nnorm {norm}: ours {rates['ours']:,.0f} images/s")
    for side, ratio in ratios.items():
        said = "reached" if ratio >= TARGETS[side] else "MISSED"
        print(f"  {ratio:5.2f} x {side:<10} ({rates[side]:,.0f} images/s; at least {TARGETS[side]}: {said})")
    apart = figures["largest_relative_loss_difference"]
    said = "same" if apart <= LOSS_TOLERANCE else "DIFFERENT"
    print(f"  loss over the same 5 steps: {said} (largest relative difference {apart:.1e})", flush=True)


SAID = {
    "bare": "times a bare loop over tensors in memory, 2 processes x 1 thread each",
    "loader": "times a DataLoader loop, 1 process x 2 threads",
    "loader x 2": "times two DataLoader loops, 2 processes x 1 thread each",
}


def figures_of(norms: dict) -> list[Figure]:
    """The ratios against their targets, with the rates beside them."""
    found = []
    for norm, measured_norm in norms.items():
        cell = f"stack(4, 32), norm {norm}"
        rates, ratios = measured_norm["images_per_second"], measured_norm["ours_over"]
        found.append(Figure(cell=cell, what="images a second, all workers busy", value=rates["ours"]))
        found += [at_least(cell, SAID[side], ratio, TARGETS[side]) for side, ratio in ratios.items()]
        apart = measured_norm["largest_relative_loss_difference"]
        found.append(at_most(cell, "relative difference of the loss after 5 steps", apart, LOSS_TOLERANCE))
    return found


def main() -> int:
    """Runs the benchmark; prints ratios, and keeps them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder that holds fashion_mnist/")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=25, help="training steps of one measurement")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    arguments = parser.parse_args()
    datasets.fashion_mnist_fingerprint(arguments.data)

    import torch

    norms = benchmark(arguments.data, arguments.rounds, arguments.steps)
    return publish(
        "Training fashion_mnist on two cores, images a second (evaluation excluded on all sides)",
        figures_of(norms),
        arguments.json,
        torch=torch.__version__,
        rounds=arguments.rounds,
    )


if __name__ == "__main__":
    sys.exit(main())
