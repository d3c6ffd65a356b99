"""Compiles one form of a loop with numba, and what calls it without numba.

numba's compiled function takes an array as seven or more values: two owners, which are null where
nobody owns what, the number and size of its items, the data, the shape, the strides. `_bridge` is
a second, small function in LLVM's language that takes NumPy's array objects, reads those values
where NumPy's C interface has them (`PyArrayObject_fields`), and calls the first. The arrays that a
loop makes for itself it gets from two functions of numba's run time, which the bridge brings
along: memory that is counted once, behind a header of five fields.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from .entries import Compiled
from .marks import FASTMATH, fastmath, is_inline, loop_of

# Where NumPy's array objects have their data, shape and strides, in bytes after Python's head.
DATA, SHAPE, STRIDES = 0, 16, 24
HEADER = "{i64, i8*, i8*, i8*, i64}"
RUN_TIME = """
declare noalias ptr @malloc(i64)
declare void @free(ptr)

define ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 %align) {
  %wide = zext i32 %align to i64
  %more = add i64 %wide, 48
  %all = add i64 %size, %more
  %made = call ptr @malloc(i64 %all)
  %none = icmp eq ptr %made, null
  br i1 %none, label %end, label %begin
begin:
  %place = ptrtoint ptr %made to i64
  %behind = add i64 %place, %more
  %past = urem i64 %behind, %wide
  %aligned = sub i64 %behind, %past
  %data = inttoptr i64 %aligned to ptr
  %1 = getelementptr i64, ptr %made, i64 1
  %2 = getelementptr i64, ptr %made, i64 2
  %3 = getelementptr i64, ptr %made, i64 3
  %4 = getelementptr i64, ptr %made, i64 4
  store i64 1, ptr %made
  store ptr null, ptr %1
  store ptr null, ptr %2
  store ptr %data, ptr %3
  store i64 %size, ptr %4
  br label %end
end:
  ret ptr %made
}

define void @NRT_MemInfo_call_dtor(ptr %made) {
  call void @free(ptr %made)
  ret void
}
"""


class NotKept(ValueError):
    """What numba made is not of the kind that can be called without it."""


@cache
def for_numba(function: Callable[..., Any], numba: Any) -> Any:
    """The same function, with the helpers and loops that it calls compiled by numba."""
    scope = function.__globals__
    callees = {}
    for name in function.__code__.co_names:
        callee = scope.get(name)
        if is_inline(callee):
            callees[name] = _helper(callee, numba)
        elif (called := loop_of(callee)) is not None:
            callees[name] = _callee(called, numba)
    if not callees:
        return function
    code, closure = function.__code__, function.__closure__
    made = types.FunctionType(
        code, scope | callees, function.__name__, function.__defaults__, closure
    )
    made.__module__, made.__qualname__ = function.__module__, function.__qualname__
    return made


@cache
def _helper(function: Callable[..., Any], numba: Any) -> Any:
    options = {"inline": "always", "error_model": "numpy", "fastmath": FASTMATH}
    return numba.njit(**options)(for_numba(function, numba))


@cache
def _callee(function: Callable[..., Any], numba: Any) -> Any:
    return dispatcher(function, numba)


def dispatcher(function: Any, numba: Any, **options: Any) -> Any:
    """numba's compiled function, which compiles a form when it is called."""
    options |= {"nogil": True, "error_model": "numpy", "fastmath": fastmath(function)}
    return numba.njit(**options)(for_numba(function, numba))


def compiled(function: Callable[..., Any], arguments: Sequence[Any], numba: Any) -> Compiled:
    """Compile a loop for arguments of these types.

    Raises
    ------
    NotKept
        This numba hands over values in another way than the one that the bridge knows.
    """
    made = dispatcher(function, numba, no_cpython_wrapper=True, no_cfunc_wrapper=True)
    forms = tuple(numba.typeof(argument) for argument in arguments)
    made.compile(forms)
    result = made.overloads[forms]
    name = result.fndesc.llvm_func_name
    taken = [str(a.type) for a in result.library.get_function(name).arguments]
    returned = str(result.signature.return_type)
    kind = {"int64": ("i64", "q"), "float64": ("double", "d"), "none": ("ptr", "")}.get(returned)
    if kind is None:
        raise NotKept(f"returns {returned}")
    source = _bridge(name, _flat(forms, numba), numba, taken, kind[0])
    return Compiled([result.library._get_compiled_object(), _object_of(source)], kind[1])


def _flat(forms: Sequence[Any], numba: Any) -> list[Any]:
    """Types with those in a tuple in its place."""
    parts = [
        _flat(form, numba) if isinstance(form, numba.types.BaseTuple) else [form] for form in forms
    ]
    return [form for part in parts for form in part]


def _bridge(
    name: str, forms: list[Any], numba: Any, taken: list[str], result: str
) -> str:  # fmt: skip
    from numba.core.runtime import nrtdynmod

    if str(nrtdynmod._meminfo_struct_type) != HEADER:
        raise NotKept("numba's run time heads its memory in another way")
    given, lines = ["ptr %result"], []
    values = ["ptr %room", "ptr %fault"]
    head = object.__basicsize__
    for i, form in enumerate(forms):
        if not isinstance(form, numba.types.Array):
            values.append(f"{taken[len(values)]} %a{i}")
            given.append(values[-1])
            continue
        given.append(f"ptr %a{i}")
        for what, offset in (("data", DATA), ("shape", SHAPE), ("strides", STRIDES)):
            lines += [
                f"%a{i}.{what}.at = getelementptr i8, ptr %a{i}, i64 {head + offset}",
                f"%a{i}.{what} = load ptr, ptr %a{i}.{what}.at",
            ]
        count, sides = "1", []
        for what in ("shape", "strides"):
            for d in range(form.ndim):
                side = f"%a{i}.{what}.{d}"
                lines += [
                    f"{side}.at = getelementptr i64, ptr %a{i}.{what}, i64 {d}",
                    f"{side} = load i64, ptr {side}.at",
                ]
                sides.append(f"i64 {side}")
                if what == "shape":
                    lines.append(f"%a{i}.count.{d} = mul i64 {count}, {side}")
                    count = f"%a{i}.count.{d}"
        size = numba.np.numpy_support.as_dtype(form.dtype).itemsize
        values += ["ptr null", "ptr null", f"i64 {count}", f"i64 {size}", f"ptr %a{i}.data", *sides]
    if [value.split()[0] for value in values] != [t if t[-1] != "*" else "ptr" for t in taken]:
        raise NotKept(f"takes {', '.join(taken)}")
    kinds = ", ".join(value.split()[0] for value in values)
    body = "\n".join(f"  {line}" for line in lines)
    taking = f"  %value = load {result}, ptr %room\n  store {result} %value, ptr %result"
    if result == "ptr":  # None
        taking = ""
    return f"""
declare i32 @"{name}"({kinds})

define i32 @entry({", ".join(given)}) {{
  %room = alloca {result}
  %fault = alloca ptr
{body}
  %status = call i32 @"{name}"({", ".join(values)})
{taking}
  ret i32 %status
}}
{RUN_TIME}"""


def _object_of(source: str) -> bytes:
    """Object code for this processor."""
    import llvmlite.binding as llvm

    machine = llvm.Target.from_default_triple().create_target_machine(
        opt=2, reloc="static", codemodel="jitdefault", jit=True
    )
    with llvm.parse_assembly(source) as module:
        module.verify()
        return bytes(machine.emit_object(module))
