"""Softmax regression on handwritten digits with Nadam, as a script for W&B is written; nothing in it knows Surefoot."""

import argparse

import numpy as np
import wandb
from sklearn.datasets import load_digits


def train(config, images, labels, held_images, held_labels):
    rng = np.random.default_rng(0)
    weights = np.zeros((images.shape[1], 10))
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    beta, decay, updates = config.optimizer["nadam"]["beta"], 0.999, 0
    for epoch in range(config.epochs):
        for batch in np.array_split(rng.permutation(len(images)), len(images) // config.batch_size):
            gradient = images[batch].T @ (softmax(images[batch] @ weights) - np.eye(10)[labels[batch]]) / len(batch)
            updates += 1
            first = beta * first + (1 - beta) * gradient
            second = decay * second + (1 - decay) * gradient**2
            # Nadam: Dozat (2016), "Incorporating Nesterov Momentum into Adam", algorithm 2, with a constant momentum.
            ahead = beta * first / (1 - beta ** (updates + 1)) + (1 - beta) * gradient / (1 - beta**updates)
            weights -= config.optimizer["lr"] * ahead / (np.sqrt(second / (1 - decay**updates)) + 1e-8)
        chances = softmax(held_images @ weights)
        loss = -np.log(chances[np.arange(len(held_labels)), held_labels]).mean()
        wandb.log({"loss": loss, "accuracy": (chances.argmax(1) == held_labels).mean()}, step=epoch)


def softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    arguments, _ = parser.parse_known_args()  # W&B passes nested parameters as text; the script reads wandb.config

    wandb.init(config={"epochs": arguments.epochs, "optimizer": {"lr": 0.01, "nadam": {"beta": 0.9}}})
    digits = load_digits()
    train(wandb.config, digits.data[:1200] / 16, digits.target[:1200], digits.data[1200:] / 16, digits.target[1200:])
    wandb.finish()
