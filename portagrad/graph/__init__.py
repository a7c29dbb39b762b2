"""jit: record primitives once, plan, replay. See docs/design/jit.md."""

from portagrad.graph.jit import JitFunction as JitFunction
from portagrad.graph.jit import jit as jit
