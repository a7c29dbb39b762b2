"""HIPS autograd's interface on portagrad's engine: a program changes its imports and no more.

    import portagrad.compat.autograd.numpy as np      was: import autograd.numpy as np
    from portagrad.compat.autograd import grad        was: from autograd import grad

Arrays may be of any library that portagrad has a backend for: `np.tanh` of a torch
tensor is a torch tensor. Names, arguments and conventions are those of HIPS
autograd (https://github.com/HIPS/autograd), those of complex numbers included; the
code is not.
"""

from portagrad.compat.autograd import numpy as numpy
from portagrad.compat.autograd.builtins import dict as dict
from portagrad.compat.autograd.builtins import isinstance as isinstance
from portagrad.compat.autograd.builtins import list as list
from portagrad.compat.autograd.builtins import tuple as tuple
from portagrad.compat.autograd.builtins import type as type
from portagrad.compat.autograd.differential_operators import checkpoint as checkpoint
from portagrad.compat.autograd.differential_operators import deriv as deriv
from portagrad.compat.autograd.differential_operators import elementwise_grad as elementwise_grad
from portagrad.compat.autograd.differential_operators import grad as grad
from portagrad.compat.autograd.differential_operators import grad_and_aux as grad_and_aux
from portagrad.compat.autograd.differential_operators import grad_named as grad_named
from portagrad.compat.autograd.differential_operators import hessian as hessian
from portagrad.compat.autograd.differential_operators import (
    hessian_tensor_product as hessian_tensor_product,
)
from portagrad.compat.autograd.differential_operators import (
    hessian_vector_product as hessian_vector_product,
)
from portagrad.compat.autograd.differential_operators import holomorphic_grad as holomorphic_grad
from portagrad.compat.autograd.differential_operators import hvp as hvp
from portagrad.compat.autograd.differential_operators import jacobian as jacobian
from portagrad.compat.autograd.differential_operators import make_ggnvp as make_ggnvp
from portagrad.compat.autograd.differential_operators import make_hvp as make_hvp
from portagrad.compat.autograd.differential_operators import make_jvp as make_jvp
from portagrad.compat.autograd.differential_operators import (
    make_jvp_reversemode as make_jvp_reversemode,
)
from portagrad.compat.autograd.differential_operators import make_vjp as make_vjp
from portagrad.compat.autograd.differential_operators import multigrad_dict as multigrad_dict
from portagrad.compat.autograd.differential_operators import (
    tensor_jacobian_product as tensor_jacobian_product,
)
from portagrad.compat.autograd.differential_operators import value_and_grad as value_and_grad
from portagrad.compat.autograd.differential_operators import (
    vector_jacobian_product as vector_jacobian_product,
)
from portagrad.compat.autograd.extend import defjvp as defjvp
from portagrad.compat.autograd.extend import defvjp as defvjp
from portagrad.compat.autograd.extend import primitive as primitive
