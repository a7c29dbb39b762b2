"""What a network, a function or a Tensor does, to be looked at.

`trace_table` writes the chain rule of a network as a table, layer by layer;
`computation_graph` draws every operation with its value and its gradient.
"""

from portagrad.explain.graph import Graph as Graph
from portagrad.explain.graph import computation_graph as computation_graph
from portagrad.explain.table import TraceTable as TraceTable
from portagrad.explain.table import trace_table as trace_table

__all__ = ["Graph", "TraceTable", "computation_graph", "trace_table"]
