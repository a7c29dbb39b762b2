"""What a layer computes and how a gradient passes back through it, as a person writes it.

X is what comes into a layer, Y what leaves it, and g the gradient of the loss
by Y that flows back. Sums of g go over all axes but the last. A loss compares
X with its target T.
"""

from __future__ import annotations

from typing import Any

from portagrad import manual

#: By a layer's class: forward, then the local derivative for the input and for each parameter.
FORMULAS: dict[str, tuple[str, dict[str, str]]] = {
    "Linear": (
        "Y = X W + b", {"X": "dX = g Wᵀ", "weight": "dW = Xᵀ g", "bias": "db = Σ g"},
    ),
    "Sigmoid": ("Y = 1/(1 + exp(-X))", {"X": "dX = g ⊙ Y ⊙ (1 - Y)"}),
    "Tanh": ("Y = tanh X", {"X": "dX = g ⊙ (1 - Y²)"}),
    "ReLU": ("Y = max(X, 0)", {"X": "dX = g where X > 0, else 0"}),
    "LeakyReLU": ("Y = X, or slope · X below 0", {"X": "dX = g, or slope · g where X < 0"}),
    "ELU": ("Y = X, or α (exp X - 1) below 0", {"X": "dX = g, or g ⊙ (Y + α) where X < 0"}),
    "Softplus": ("Y = log(1 + exp X)", {"X": "dX = g ⊙ σ(X)"}),
    "SiLU": ("Y = X σ(X)", {"X": "dX = g ⊙ (σ + X σ (1 - σ))"}),
    "GELU": ("Y = X Φ(X)", {"X": "dX = g ⊙ (Φ(X) + X φ(X))"}),
    "Softmax": ("Y = exp X / Σ exp X", {"X": "dX = Y ⊙ (g - Σ g ⊙ Y)"}),
    "Identity": ("Y = X", {"X": "dX = g"}),
    "Flatten": ("Y = X in rows", {"X": "dX = g in the shape of X"}),
    "AppendOnes": ("Y = [X, 1]", {"X": "dX = g without its last column"}),
    "MSELoss": ("L = mean (X - T)²", {"X": "dX = 2 (X - T) / n"}),
    "BCELoss": (
        "L = -mean [T log X + (1 - T) log(1 - X)]", {"X": "dX = (X - T) / (X (1 - X)) / n"},
    ),
    "BCEWithLogitsLoss": (
        "L = -mean [T log σ(X) + (1 - T) log σ(-X)]", {"X": "dX = (σ(X) - T) / n"},
    ),
    "CrossEntropyLoss": (
        "L = -mean log softmax(X)[T]", {"X": "dX = (softmax(X) - onehot T) / rows"},
    ),
}  # fmt: skip
#: How a loss other than the mean is written.
REDUCED = {
    ("MSELoss", "half_sum"): ("L = Σ (X - T)² / 2 rows", {"X": "dX = (X - T) / rows"}),
    ("MSELoss", "sum"): ("L = Σ (X - T)²", {"X": "dX = 2 (X - T)"}),
    ("BCELoss", "sum"): (
        "L = -Σ [T log X + (1 - T) log(1 - X)]", {"X": "dX = (X - T) / (X (1 - X))"},
    ),
    ("BCEWithLogitsLoss", "sum"): (
        "L = -Σ [T log σ(X) + (1 - T) log σ(-X)]", {"X": "dX = σ(X) - T"},
    ),
    ("CrossEntropyLoss", "sum"): ("L = -Σ log softmax(X)[T]", {"X": "dX = softmax(X) - onehot T"}),
}  # fmt: skip


def formulas(layer: Any) -> tuple[str, dict[str, str]]:
    """Forward, and the derivatives by name: "X" for the input, else the parameter's.

    For a layer that is not in the table its own words: the first lines of what
    its methods, or those of the manual layer of its name, say of themselves.
    """
    name = type(layer).__name__ if hasattr(layer, "forward") else getattr(layer, "__name__", "f")
    reduction = getattr(layer, "reduction", "")
    summed = "sum" if reduction == "none" else reduction
    known = REDUCED.get((name, summed)) or FORMULAS.get(name)
    if known is not None:
        forward, back = known
        if reduction == "none":
            forward = forward.replace("Σ ", "")
        if name == "Linear" and getattr(layer, "bias", None) is None:
            forward = "Y = X W"
        return forward, back
    twin = layer if hasattr(layer, "backward") else getattr(manual, name, None)
    forward = _first_line(getattr(layer, "forward", None) or layer)
    backward = _first_line(getattr(twin, "backward", None))
    return forward or f"Y = {name}(X)", {"X": backward or "dX = (∂Y/∂X)ᵀ g, by the tape"}


def _first_line(function: Any) -> str:
    text = (getattr(function, "__doc__", None) or "").strip().partition("\n")[0].rstrip(".")
    return text if len(text) <= 60 else ""
