"""Trains a support vector machine on scikit-learn's handwritten digits and prints how often it is right."""

import argparse

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--C", type=float, default=1.0)
parser.add_argument("--kernel", choices=["linear", "rbf", "poly"], default="rbf")
parser.add_argument("--gamma", type=float, default=0.001)
parser.add_argument("--degree", type=int, default=3)
parser.add_argument("--seed", type=int, default=0, help="which examples are held out")
args = parser.parse_args()

images, labels = load_digits(return_X_y=True)
train_x, val_x, train_y, val_y = train_test_split(
    images, labels, test_size=0.4, random_state=args.seed, stratify=labels
)
print(f"training on {len(train_x)} digits: kernel {args.kernel}, C {args.C:g}, gamma {args.gamma:g}")

model = SVC(C=args.C, kernel=args.kernel, gamma=args.gamma, degree=args.degree)
model.fit(train_x, train_y)
print(f"{model.n_support_.sum()} support vectors")
print(f"validation accuracy: {100 * model.score(val_x, val_y):.2f}%")
