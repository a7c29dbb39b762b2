"""Training in half precision: parameters of 16 bits, updates and their memory of 32."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.backend import backend_of
from portagrad.errors import ArgumentError
from portagrad.optim.optimizer import Optimizer, named

T = TypeVar("T")

#: The largest power of two that float16 holds: a loss is scaled in its own dtype.
LARGEST_SCALE = 2.0**15


class MasterWeight:
    """The float32 copy of a parameter that an optimizer steps."""

    __slots__ = ("data", "grad", "name")

    def __init__(self, parameter: Any, name: str) -> None:
        wide = backend_of(parameter.data).xp.float32
        self.data = xp.astype(parameter.data, wide, copy=True)
        self.grad: Any = None
        self.name = name


class MixedPrecision:
    """An optimizer for parameters of float16 or bfloat16.

    Activations and gradients have the 16 bits of the parameters; the optimizer works on
    float32 copies of them, its master weights, so that an update too small for 16 bits
    is not lost; and the loss is multiplied by a scale before the backward, so that small
    gradients are not either. Where a gradient comes back infinite or nan, the step is
    left out and the scale halved; after `growth_interval` good steps it is doubled, up to 2¹⁵.
    Micikevicius et al., "Mixed precision training" (ICLR 2018), sections 3.1 and 3.2; the
    dynamic scale is that of `torch.amp.GradScaler`, except that nothing is read from the
    device: a step that is left out is computed, and not taken.

    make: from parameters to an optimizer. parameters: of either wing, 16 bits or more.

    >>> import portagrad as pg
    >>> network = pg.nn.Linear(3, 1, seed=0, dtype="float16")
    >>> make = lambda parameters: pg.optim.SGD(parameters, learning_rate=0.1)
    >>> optimizer = MixedPrecision(make, network.parameters(), initial_scale=64.0)
    >>> x, y = pg.asarray([[1, 2, 3]], dtype="float16"), pg.asarray([[1]], dtype="float16")
    >>> optimizer.zero_grad()
    >>> optimizer.scaled(pg.nn.MSELoss()(network(x), y)).backward()
    >>> optimizer.step()
    >>> network.weight.dtype, optimizer.optimizer.parameters[0].data.dtype
    (dtype('float16'), dtype('float32'))

    In the manual wing it is what the loss pulls back that is scaled:
    `network.backward(optimizer.scaled(loss.backward()))`.
    """

    def __init__(
        self,
        make: Callable[[list[MasterWeight]], Optimizer],
        parameters: Iterable[Any],
        *,
        initial_scale: float = 2.0**12,
        growth_interval: int = 2000,
    ) -> None:
        pairs = list(named(parameters, "MixedPrecision"))
        if not pairs:
            raise ArgumentError("MixedPrecision: there are no parameters to train")
        if not 0 < initial_scale <= LARGEST_SCALE or growth_interval < 1:
            raise ArgumentError(
                f"MixedPrecision: initial_scale must be above 0 and at most 2**15, "
                f"growth_interval 1 or more; got {initial_scale!r} and {growth_interval!r}"
            )
        self.parameters = [parameter for _, parameter in pairs]
        self.masters = [MasterWeight(p, name or str(i)) for i, (name, p) in enumerate(pairs)]
        self.optimizer = make(self.masters)
        self.growth_interval = growth_interval
        first = self.masters[0].data
        #: The scale, and how many good steps it has had: arrays of no axes, on the device.
        self.scale: Array = xp.sum(first * 0) + float(initial_scale)
        self.good: Array = self.scale * 0

    def scaled(self, x: T) -> T:
        """A loss, or a gradient on its way back, times the scale.

        A loss becomes float32, where it cannot overflow; a gradient keeps its dtype.
        """
        value: Any = x
        if not value.shape:
            value = xp.astype(value, self.scale.dtype)
        factor = xp.astype(self.scale, value.dtype)
        made: T = xp.multiply(value, factor)  # type: ignore[assignment]
        return made

    def step(self) -> None:
        """Update master weights and parameters, unless a gradient is infinite or nan."""
        fine = None
        for parameter, master in zip(self.parameters, self.masters):
            gradient = parameter.grad
            if gradient is not None:
                gradient = xp.astype(gradient, master.data.dtype) / self.scale
                finite = xp.all(xp.isfinite(gradient))
                fine = finite if fine is None else xp.logical_and(fine, finite)
            master.grad = gradient
        if fine is None:
            return
        before = [master.data for master in self.masters]
        state = [dict(each) for each in self.optimizer.state]
        for master in self.masters:
            if master.grad is not None:  # what is left out must be finite to be multiplied away
                master.grad = xp.where(fine, master.grad, 0.0)
        self.optimizer.step()
        for parameter, master, data in zip(self.parameters, self.masters, before):
            if master.grad is not None:
                master.data = xp.where(fine, master.data, data)
                parameter.data = xp.astype(master.data, parameter.data.dtype)
        self._keep_state(fine, state)
        self._rescale(fine)

    def _keep_state(self, fine: Array, before: list[dict[str, Any]]) -> None:
        """What the optimizer remembers, as it was where the step is left out."""
        for now, old in zip(self.optimizer.state, before):
            for name, value in now.items():
                if hasattr(value, "dtype"):
                    now[name] = xp.where(fine, value, old.get(name, value * 0))

    def _rescale(self, fine: Array) -> None:
        good = xp.where(fine, self.good + 1, 0.0)
        grown = good >= self.growth_interval
        up = xp.where(grown, xp.clip(self.scale * 2, None, LARGEST_SCALE), self.scale)
        self.scale = xp.where(fine, up, self.scale / 2)
        self.good = xp.where(grown, 0.0, good)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None
