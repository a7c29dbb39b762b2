"""Primitives: functions that whoever traces a program gets to see.

A primitive is a function of arrays together with how it is differentiated. On
plain arrays it is its own body and nothing else. As soon as one operand is a
`Traced` value, the *newest* trace among the operands handles the call, and
every other operand is a constant to it. Traces are told apart by ids that are
never used twice, so they nest in any order and need no global stack.

    @primitive                      a function of the standard; `defvjp` states its rule
    @elementwise                    one element by element: the library's function of that name
    @kernel                         a composite; its body is its definition, so with no rule stated
                                    the body itself is traced. A backend may fuse it, by name.
    @joined                         a kernel that only a tape takes as one step
    @constant                       piecewise constant: its derivative is zero wherever it has one

A rule is a formula. Its parameters say what has to be kept for it: `g` (the
cotangent), `out` (the result), any operand, `<operand>_shape` (not the array),
or any other argument by name.

`traced.py` is what a trace and its values are, `modes.py` what `with` blocks ask of
them; `record.py` is a primitive, `rule.py` its derivative; `dispatch.py` makes the
function that people call, `declare.py` the decorators.
"""

from portagrad.primitive.declare import PrimitiveFunction as PrimitiveFunction
from portagrad.primitive.declare import constant as constant
from portagrad.primitive.declare import elementwise as elementwise
from portagrad.primitive.declare import joined as joined
from portagrad.primitive.declare import kernel as kernel
from portagrad.primitive.declare import primitive as primitive
from portagrad.primitive.declare import require_operand as require_operand
from portagrad.primitive.modes import NORMAL as NORMAL
from portagrad.primitive.modes import Mode as Mode
from portagrad.primitive.modes import Watch as Watch
from portagrad.primitive.modes import mode as mode
from portagrad.primitive.modes import recording as recording
from portagrad.primitive.record import Primitive as Primitive
from portagrad.primitive.rule import Plan as Plan
from portagrad.primitive.rule import Rule as Rule
from portagrad.primitive.traced import NO_STATIC as NO_STATIC
from portagrad.primitive.traced import Trace as Trace
from portagrad.primitive.traced import Traced as Traced
from portagrad.primitive.traced import detached as detached
from portagrad.primitive.traced import fresh_id as fresh_id
from portagrad.primitive.traced import innermost as innermost
from portagrad.primitive.traced import newest_trace as newest_trace
from portagrad.primitive.traced import observed as observed
from portagrad.primitive.traced import on_numbers as on_numbers
from portagrad.primitive.traced import settled as settled
from portagrad.primitive.traced import snapshot as snapshot
from portagrad.primitive.traced import take_snapshots as take_snapshots
from portagrad.primitive.traced import traced_types as traced_types
from portagrad.primitive.traced import unchanging as unchanging
