"""The real CuPy on a runtime and a driver without a card: what it is asked, not what comes out.

CuPy's Cython modules take the runtime's functions from capsules of one module, which are pointed
elsewhere before anybody has taken them; the driver is a library that is found by its name. It
leans on CuPy's inside, as nothing but a test may. No result of it is a GPU result.
"""

import ctypes
from typing import Any

TYPES: dict[str, Any] = {
    "int": ctypes.c_int,
    "intptr_t": ctypes.c_ssize_t,
    "size_t": ctypes.c_size_t,
    "unsigned int": ctypes.c_uint,
    "float": ctypes.c_float,
    "PyObject *": ctypes.py_object,
}


def install(library: str) -> ctypes.CDLL:
    """Put runtime.c, compiled, under CuPy, which must not have been imported; its counters."""
    loaded = ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
    loaded.find.restype, loaded.find.argtypes = ctypes.c_void_p, (ctypes.c_char_p,)
    import cupy_backends.cuda.api.runtime as runtime

    name_of, point = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_SetPointer
    name_of.restype, name_of.argtypes = ctypes.c_char_p, (ctypes.py_object,)
    point.argtypes = (ctypes.py_object, ctypes.c_void_p)
    for name, capsule in runtime.__pyx_capi__.items():
        address = loaded.find(name.encode())
        if address:
            point(capsule, address)
            setattr(runtime, name, _called_from_python(name_of(capsule).decode(), address))
    _multiply_nothing()
    return loaded


def _called_from_python(signature: str, address: int) -> Any:
    """The same function for Python code, which calls it by the module."""
    kind, _, inside = signature.removesuffix(")").partition("(")
    words = [word.strip() for word in inside.split(",") if word.strip() != "void"]
    given = [TYPES[word] for word in words if word in TYPES]
    own = [ctypes.c_int] if len(words) > len(given) else []
    optional = [ctypes.c_void_p] if "__pyx_optional_args" in signature else []
    function = ctypes.PYFUNCTYPE(TYPES[kind.strip()], *given, *own, *optional)(address)
    rest = [0] * len(own) + [None] * len(optional)
    return lambda *arguments: function(*arguments[: len(given)], *rest)


def _multiply_nothing() -> None:
    """cuBLASLt itself for all that needs no card; its products are looked at by ctypes alone."""
    from portagrad_cupy.cublaslt import library

    def create(handle: Any) -> int:
        handle[0] = 1
        return 0

    def choose(*arguments: Any) -> int:
        arguments[8][0].workspaceSize, arguments[9][0] = 1 << 20, 1
        return 0

    loaded = library.shared_library()
    for name, own in (
        ("cublasLtCreate", create),
        ("cublasLtMatmulAlgoGetHeuristic", choose),
        ("cublasLtMatmul", lambda *arguments: 0),
    ):
        setattr(loaded, name, ctypes.CFUNCTYPE(ctypes.c_int, *library.SIGNATURES[name])(own))
