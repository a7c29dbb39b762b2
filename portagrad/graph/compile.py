"""A plan: a recording, and once it is used again the function that replays it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from portagrad.backend import Backend
from portagrad.backend.dispatch import backend_of_type
from portagrad.graph import host
from portagrad.graph.call import ONE_AT_A_TIME
from portagrad.graph.device import Device, capturing, in_one_place
from portagrad.graph.entry import entry, left, reused
from portagrad.graph.explain import described
from portagrad.graph.fusion import fused, home
from portagrad.graph.graph import Graph
from portagrad.graph.host.writing import Written
from portagrad.graph.passes import simplified
from portagrad.graph.recorded import Recording
from portagrad.graph.replay import replayer


class Plan:
    """What `jit` keeps for one kind of call.

    It is compiled when it is used for the second time: the first step of a training
    run often differs from all others (an optimizer has no state yet), and its plan is
    never wanted again.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.compiled = False
        self.seconds = 0.0
        self.run: Callable[..., Any] = self._aside
        #: The library of all arrays, if they are on one device of it, too.
        self.home = home(recording.graph)
        if self.home is not None and not in_one_place(recording, self.home):
            self.home = None
        self.entry: Callable[..., Any]
        self.entry, self.forget = entry(recording, self._at_home(self._first_run), [])

    def _first_run(self, *inputs: Any) -> Any:
        """Compile, and then run."""
        with ONE_AT_A_TIME:
            if not self.compiled:
                forget = self.forget
                self.compile()
                forget()
                for backend in self._backends():
                    backend.release_memory()  # the room that recording, which is eager work, took
        return self.run(*inputs, *[None] * sum(i is not None for i in self.memory))

    def compile(self) -> None:
        """Make the function that replays."""
        started = time.perf_counter()
        self.graph = simplified(self.recording.graph)
        self.memory: list[int | None] = [None] * len(self.graph.outputs)
        self.written: Written | None = None
        #: What runs on a device in place of the graph, with kernels for groups of operations,
        #: and what captures it.
        self.device: Graph | None = None
        self.captured: Device | None = None
        if host.suits(self.graph):
            self.written = host.prepared(self.graph, reused(self.recording), self._aside)
            self.memory, self.run = self.written.reuse, self.written.run
        elif self.home is None:
            self.run = replayer(self.graph)
        elif (backend := capturing(self.graph)) is not None:
            self.memory = reused(self.recording)
            places = left(self.recording, self.memory)
            self.captured = Device(self.graph, backend, places, self.memory)
            self.run, self.device = self._at_home(self.captured.run), self.captured.arrays
        else:
            self.device = fused(self.graph)
            self.run = self._at_home(replayer(self.device))
        self.entry, self.forget = entry(self.recording, self.run, self.memory)
        self.compiled = True
        self.seconds = time.perf_counter() - started

    def _at_home(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Run on the device that the arrays are on, where a library does not see to that."""
        return function if self.home is None else self.home.guarded(function)

    def _backends(self) -> set[Backend]:
        """The libraries of the inputs."""
        kinds = {v.kind for v in self.graph.inputs if v.kind is not None and not v.is_number}
        found = {backend_of_type(kind) for kind in kinds}
        return {backend for backend in found if backend is not None}

    def _aside(self, *inputs: Any) -> Any:
        """Run while another thread is at work in the plan's buffers."""
        return replayer(self.graph)(*inputs)

    def explain(self) -> str:
        """The plan, for a person."""
        if not self.compiled:
            return "recorded, and not compiled yet: that happens in the second call"
        remark = self.captured.remark if self.captured is not None else ""
        return described(
            self.recording.graph, self.graph, self.written, self.device, self.seconds, remark
        )
