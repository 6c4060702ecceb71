"""How fast `cifar10` trains with every augmentation on: our loop against plain DataLoader loops.

All sides train the same residual net at batch 64 on two cores, in turns, in processes that stay alive:
- ours: 2 processes x 1 thread, each running `surefoot.workloads.training.fit`, as two workers of a study do
- loader: a Dataset whose __getitem__ augments one image with torch operations, a DataLoader without workers,
  torch's own Adam and memory layout, 1 process x 2 threads
- loader + 2: the same with two DataLoader workers that live on between epochs
- loader x 2: the same without workers in 2 processes x 1 thread
- loader x 2, tuned: the same with channels_last and a fused Adam; it only informs, as a plain loop has neither

The augmentations are crop with padding 4, flip, brightness and contrast 0.2, cutout 8 and mixup 0.2. The peers' are
drawn and done image by image, as transforms do it, mixup batch by batch, as its authors' code does it. Every side
starts from the same weights and sees the same images in the same order, each augmented by its own draws. The time is
that of the training steps alone, with what prepares their batches: normalising all images beforehand (ours) and
evaluating are left out, and so is starting the DataLoader's workers. A rate is images per second over all the
processes of a side; a ratio is the median over rounds of ours / theirs within the round.

    python benchmarks/cifar10.py [--data FOLDER] [--rounds N] [--json FILE]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from figures import Figure, at_least, publish, told
from surefoot.workload import RunContext
from surefoot.workloads import cifar10, cifar10_files, datasets

SIDES = {"ours": (2, 1), "loader": (1, 2), "loader + 2": (1, 2), "loader x 2": (2, 1), "loader x 2, tuned": (2, 1)}
PLAIN = ("loader", "loader + 2", "loader x 2")
AUGMENTED = cifar10.Config(crop_padding=4, flip=True, jitter=0.2, cutout=8, mixup=0.2)
# width, depth: steps of one measurement, images to draw from
CASES = {(8, 1): (40, 1280), (16, 1): (20, 640), (64, 2): (2, 128)}
TARGET_CASE, TARGET = (8, 1), 1.5


def ours(config: cifar10.Config, train: datasets.Examples, seed: int, threads: int) -> float:
    """Seconds of the training steps."""
    from functools import partial

    from surefoot.workloads import networks, training

    def build(seed: int):
        return networks.seeded(cifar10.net(config, train.shape), seed)

    few = datasets.balanced(train, config.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        context = RunContext(seed=seed, artifacts=Path(folder), threads=threads)
        run = training.fit(build, train, few, config, context, partial(cifar10.augment, config))
        while True:
            try:
                next(run)
            except StopIteration as end:
                return end.value["seconds_per_step"] * end.value["steps"]


class Loader:
    """The loop as most people write it; it lives on, so that its DataLoader's workers are started once."""

    def __init__(self, *, workers: int = 0, is_tuned: bool = False) -> None:
        self.workers, self.is_tuned = workers, is_tuned
        self.loader, self.order, self.size = None, [], 0

    def __call__(self, config: cifar10.Config, train: datasets.Examples, seed: int, threads: int) -> float:
        """Seconds of one epoch of training steps."""
        import torch
        from torch.nn import functional

        from surefoot.workloads import networks, training

        torch.set_num_threads(threads)
        net = networks.seeded(cifar10.net(config, train.shape), seed)
        layout = torch.channels_last if self.is_tuned else torch.contiguous_format
        net = net.to(memory_format=layout)
        optimizer = torch.optim.Adam(net.parameters(), lr=config.lr, fused=True if self.is_tuned else None)
        self.order[:] = torch.cat(list(training.batches(len(train), config.batch_size, config.steps, seed))).tolist()
        batches = self.batches(config, train)
        weights = torch.distributions.Beta(config.mixup, config.mixup)
        started = time.perf_counter()
        for images, labels in batches:
            weight, partners = weights.sample(), torch.randperm(len(labels))
            mixed = weight * images + (1 - weight) * images[partners]
            optimizer.zero_grad()
            logits = net(mixed.contiguous(memory_format=layout))
            loss = weight * functional.cross_entropy(logits, labels)
            loss = loss + (1 - weight) * functional.cross_entropy(logits, labels[partners])
            loss.backward()
            optimizer.step()
            loss.item()
        return time.perf_counter() - started

    def batches(self, config: cifar10.Config, train: datasets.Examples):
        """The DataLoader, over `self.order`; made anew for another set of images only."""
        from torch.utils.data import DataLoader

        if self.loader is None or self.size != len(train):
            dataset = per_image_dataset(config, train)
            # workers by fork, as anywhere on Linux; this process itself was spawned and would spawn them
            workers = {"persistent_workers": True, "multiprocessing_context": "fork"} if self.workers else {}
            self.loader = DataLoader(
                dataset, batch_size=config.batch_size, sampler=self.order, num_workers=self.workers, **workers
            )
            self.size = len(train)
        return self.loader


def per_image_dataset(config: cifar10.Config, train: datasets.Examples):
    """Images augmented one by one with torch operations, then normalised, as transforms do it."""
    import torch
    from torch.nn import functional
    from torch.utils.data import Dataset

    from surefoot.workloads import training

    means, deviations = (torch.tensor(each).view(3, 1, 1) / 255 for each in training.pixel_statistics(train))
    grey = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)

    def drawn(low: float, high: float) -> float:
        return torch.empty(1).uniform_(low, high).item()

    def below(limit: int) -> int:
        return int(torch.randint(limit, (1,)).item())

    def augmented(image):
        padding, size = config.crop_padding, config.cutout
        padded = functional.pad(image, (padding, padding, padding, padding))
        top, left = below(2 * padding + 1), below(2 * padding + 1)
        image = padded[:, top : top + 32, left : left + 32]
        if torch.rand(1) < 0.5:
            image = image.flip(-1)
        image = (image * drawn(1 - config.jitter, 1 + config.jitter)).clamp(0, 1)
        contrast, mean = drawn(1 - config.jitter, 1 + config.jitter), (image * grey).sum(0).mean()
        image = (contrast * image + (1 - contrast) * mean).clamp(0, 1)
        image = (image - means) / deviations
        top, left = below(32) - size // 2, below(32) - size // 2
        image[:, max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)] = 0
        return image

    class CIFAR10(Dataset):
        def __init__(self, images, labels) -> None:
            self.images, self.labels = images, labels

        def __len__(self) -> int:
            return len(self.labels)

        def __getitem__(self, index: int):
            return augmented(torch.from_numpy(self.images[index]).float() / 255), int(self.labels[index])

    return CIFAR10(train.images.copy(), train.labels)


def trainer(side: str):
    """What trains on that side."""
    if side == "ours":
        return ours
    return Loader(workers=2 if side == "loader + 2" else 0, is_tuned=side.endswith("tuned"))


def work(side: str, threads: int, data: Path | None, orders, barrier) -> None:
    """A process of one side: trains what it is told, starting together with its siblings."""
    whole = datasets.load("cifar10", "train", RunContext(seed=0, artifacts=Path("."), data_root=data))
    train = trainer(side)
    while True:
        try:
            order = orders.recv()
        except EOFError:  # the benchmark ended, well or badly
            return
        (width, depth), steps, images, seed = order
        config = replace(AUGMENTED, width=width, depth=depth, steps=steps, eval_every=steps)
        chosen = datasets.balanced(whole, images)
        barrier.wait()
        orders.send(train(config, chosen, seed, threads))


def rate(pipes, case: tuple[int, int], steps: int, images: int, round_number: int) -> float:
    """Images per second over all processes of a side."""
    for index, pipe in enumerate(pipes):
        pipe.send((case, steps, images, 100 * round_number + index))
    return sum(steps * AUGMENTED.batch_size / pipe.recv() for pipe in pipes)


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
            # no daemon, as a DataLoader's workers are children, which a daemon may not have
            process = context.Process(target=work, args=(side, threads, data, there, barrier))
            process.start()
            there.close()
            processes.append(process)
            pipes[side].append(here)
    return processes, pipes, barriers


def benchmark(data: Path | None, rounds: int) -> dict[tuple[int, int], list[dict[str, float]]]:
    """The rates of every side, round by round, for every net."""
    processes, pipes, _barriers = started_sides(data)
    try:
        return measured(pipes, rounds)
    finally:
        for pipe in [pipe for of_side in pipes.values() for pipe in of_side]:
            pipe.close()
        for process in processes:
            process.join(timeout=60)
            process.terminate()


def measured(pipes, rounds: int) -> dict[tuple[int, int], list[dict[str, float]]]:
    """The rates of every side, in turns."""
    result = {}
    for case, (steps, images) in CASES.items():
        for side in SIDES:  # not timed: the first steps also allocate, and start the DataLoader's workers
            rate(pipes[side], case, 2, images, 0)
        table = []
        for number in range(rounds):
            turn = number % len(SIDES)  # each side comes first as often as any other
            sides = [*list(SIDES)[turn:], *list(SIDES)[:turn]]
            table.append({side: rate(pipes[side], case, steps, images, number + 1) for side in sides})
            print(case, {side: round(value) for side, value in table[-1].items()}, flush=True)
        result[case] = table
    return result


def figures_of(result: dict[tuple[int, int], list[dict[str, float]]]) -> list[Figure]:
    """The ratios, with the rates beside them; the workload's own net against the target."""
    found = []
    for (width, depth), table in result.items():
        cell = f"width {width}, depth {depth}"
        rates = {side: statistics.median(row[side] for row in table) for side in SIDES}
        best = max(PLAIN, key=lambda side: rates[side])
        ratios = {side: statistics.median(row["ours"] / row[side] for row in table) for side in SIDES}
        found += [told(cell, f"images a second, {side}", value) for side, value in rates.items()]
        said = f"times the fastest plain DataLoader loop ({best})"
        is_target = (width, depth) == TARGET_CASE
        found.append(at_least(cell, said, ratios[best], TARGET) if is_target else told(cell, said, ratios[best]))
        tuned = "loader x 2, tuned"
        found.append(told(cell, f"times the loop with channels_last and fused Adam ({tuned})", ratios[tuned]))
    return found


def main() -> int:
    """Runs the benchmark; prints ratios, and keeps them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder that holds cifar10/")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    arguments = parser.parse_args()
    cifar10_files.fingerprint(arguments.data)

    import torch

    result = benchmark(arguments.data, arguments.rounds)
    return publish(
        "Training cifar10 with every augmentation on two cores, images a second (evaluation excluded on all sides)",
        figures_of(result),
        arguments.json,
        torch=torch.__version__,
        rounds=arguments.rounds,
        data=cifar10_files.said(arguments.data),
    )


if __name__ == "__main__":
    sys.exit(main())
