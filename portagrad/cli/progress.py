"""How far a training run is: a bar on a terminal, a few lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

from portagrad.train import Epoch

#: About how many lines a whole run may take where there is no bar.
LINES = 10


class Progress:
    """Told of every epoch; used as a context manager, so that a bar is closed properly."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._every = max(1, -(-epochs // LINES))
        self._bar: Any = None
        if sys.stderr.isatty() and find_spec("tqdm") is not None:
            from tqdm import tqdm

            self._bar = tqdm(total=epochs, unit="epoch", leave=False, dynamic_ncols=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def tell(self, epochs: Mapping[str, Epoch]) -> None:
        """Show one more epoch of every wing."""
        first = next(iter(epochs.values()))
        number, total = first.epoch, self._epochs
        if self._bar is not None:
            # The wings agree, and a terminal may be narrow.
            self._bar.set_postfix_str(_numbers(first), refresh=False)
            self._bar.update()
        elif number % self._every == 0 or number in (1, total):
            text = "   ".join(f"{wing}: {_numbers(epoch)}" for wing, epoch in epochs.items())
            print(f"epoch {number:>{len(str(total))}}/{total}  {text}", flush=True)


def _numbers(epoch: Epoch) -> str:
    text = f"loss {epoch.loss:.4f}"
    if epoch.test_accuracy is not None:
        text += f", test {epoch.test_accuracy:.2%}"
    elif epoch.test_loss is not None:
        text += f", test loss {epoch.test_loss:.4f}"
    return text
