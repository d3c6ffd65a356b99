"""Puts compiled object code (ELF, x86-64) into memory, where it can be called.

What numba compiles is a relocatable object of a few kilobytes: sections, symbols, and places where
addresses have to be filled in. numba's own way to load one, by LLVM, needs 0.3 s of imports; LLVM's
Python binding alone a tenth of a second, which is as much as the rest of a small run. So sections
are copied here, and addresses filled in, as the System V ABI for x86-64 says (its supplement,
section 4.4). Code that needs anything else is refused, and left to numba.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

RELOCATABLE, X86_64 = 1, 62
WRITABLE, ALLOCATED = 1, 2  # flags of sections
SYMBOLS, RELOCATIONS, EMPTY, UNWINDING = 2, 4, 8, 0x70000001  # their types
ABSOLUTE, COMMON = 0xFFF1, 0xFFF2  # sections of symbols that are in none
# Types of relocation: value, and value less place, in 64 or in 32 bits.
VALUE_64, RELATIVE_32, CALL_32, RELATIVE_64 = 1, 2, 4, 24
ALL_32 = 0xFFFFFFFF
LIBRARIES = ("libm.so.6", "libc.so.6")


class Unplaceable(ValueError):
    """This code is not of the kind that can be placed."""


class _Section(NamedTuple):
    name: bytes
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    align: int

    @property
    def needed(self) -> bool:
        # Tables for unwinding serve exceptions, which no loop throws.
        unwinding = self.kind == UNWINDING or self.name == b".eh_frame"
        return bool(self.flags & ALLOCATED) and self.size > 0 and not unwinding


class _Symbol(NamedTuple):
    name: str
    section: int
    value: int
    size: int
    visible: bool  # in other objects


class _Object:
    """The sections, symbols and relocations of one object file."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        kind, machine = struct.unpack_from("<HH", content, 16)
        if (content[:6], kind, machine) != (b"\x7fELF\x02\x01", RELOCATABLE, X86_64):
            raise Unplaceable("no relocatable object of x86-64")
        (table,) = struct.unpack_from("<Q", content, 40)
        width, count, names = struct.unpack_from("<HHH", content, 58)
        rows = [struct.unpack_from("<IIQQQQIIQ", content, table + i * width) for i in range(count)]
        labels = rows[names][4]
        self.sections = [
            _Section(
                self._text(labels + name), kind, flags, offset, size, link, info, max(align, 1)
            )
            for name, kind, flags, _, offset, size, link, info, align in rows
        ]
        self.symbols: list[_Symbol] = []
        for section in self.sections:
            if section.kind == SYMBOLS:
                text = self.sections[section.link].offset
                for at in range(section.offset, section.offset + section.size, 24):
                    name, sort, _, home, value, size = struct.unpack_from("<IBBHQQ", content, at)
                    label = self._text(text + name).decode()
                    self.symbols.append(_Symbol(label, home, value, size, sort >> 4 != 0))

    def _text(self, offset: int) -> bytes:
        return self.content[offset : self.content.index(b"\0", offset)]


def place(objects: list[bytes]) -> Callable[[str], int]:
    """Put objects that need each other into memory.

    Parameters
    ----------
    objects : list of bytes
        Relocatable ELF objects.

    Returns
    -------
    callable
        The address of a symbol. The code stays in memory as long as the process.

    Raises
    ------
    Unplaceable
        They are no such objects, or need what is neither in them nor in the C library.
    OSError
        The system lets no process make code.
    """
    try:
        memory = _Memory([_Object(content) for content in objects])
        memory.link()
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise Unplaceable(str(error)) from error
    except ValueError as error:  # a name without an end
        raise error if isinstance(error, Unplaceable) else Unplaceable(str(error)) from error
    _kept.append(memory)
    return memory.named


class _Memory:
    """Sections of objects, in pages of their own: code and constants, and what is written to."""

    def __init__(self, objects: list[_Object]) -> None:
        self.objects = objects
        self.offsets: dict[tuple[int, int], tuple[int, int]] = {}
        self.common: dict[str, int] = {}
        sizes = [0, 0]
        for o, one in enumerate(objects):
            for s, section in enumerate(one.sections):
                if section.needed:
                    kind = int(bool(section.flags & WRITABLE))
                    start = -(-sizes[kind] // section.align) * section.align
                    self.offsets[o, s] = kind, start
                    sizes[kind] = start + section.size
            for symbol in one.symbols:
                if symbol.section == COMMON and symbol.name not in self.common:
                    self.common[symbol.name] = -(-sizes[1] // 64) * 64
                    sizes[1] = self.common[symbol.name] + symbol.size
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self.pages = [mmap.mmap(-1, max(size, 1), flags=private) for size in sizes]
        self.bases = [ctypes.addressof(ctypes.c_char.from_buffer(pages)) for pages in self.pages]
        for (o, s), (kind, start) in self.offsets.items():
            section = objects[o].sections[s]
            if section.kind != EMPTY:
                content = objects[o].content[section.offset : section.offset + section.size]
                self.pages[kind][start : start + section.size] = content
        self.globals = {
            symbol.name: place
            for o, one in enumerate(objects)
            for symbol in one.symbols
            if symbol.name and symbol.visible and (place := self._place(o, symbol)) is not None
        }

    def link(self) -> None:
        """Fill in all addresses; from then on code can be called, and not be written to."""
        for o, one in enumerate(self.objects):
            for section in one.sections:
                if section.kind != RELOCATIONS or (o, section.info) not in self.offsets:
                    continue
                kind, start = self.offsets[o, section.info]
                for at in range(section.offset, section.offset + section.size, 24):
                    offset, info, addend = struct.unpack_from("<QQq", one.content, at)
                    symbol = one.symbols[info >> 32]
                    place = self._place(o, symbol)
                    value = addend + (self.named(symbol.name) if place is None else place)
                    _fill(self.pages[kind], self.bases[kind], start + offset, info & ALL_32, value)
        _close(self.bases[0], len(self.pages[0]))

    def named(self, name: str) -> int:
        """The address of what has a name in these objects, or in the C library."""
        place = self.globals.get(name)
        return _of_the_c_library(name) if place is None else place

    def _place(self, o: int, symbol: _Symbol) -> int | None:
        """The address of a symbol of one object; None where it is elsewhere."""
        if symbol.section == ABSOLUTE:
            return symbol.value
        if symbol.section == COMMON:
            return self.bases[1] + self.common[symbol.name]
        if (o, symbol.section) not in self.offsets:
            return None
        kind, start = self.offsets[o, symbol.section]
        return self.bases[kind] + start + symbol.value


_kept: list[_Memory] = []


def _fill(memory: mmap.mmap, base: int, offset: int, kind: int, value: int) -> None:
    """Write one address."""
    if kind in (RELATIVE_32, CALL_32, RELATIVE_64):
        value -= base + offset
    form = {VALUE_64: "<Q", RELATIVE_32: "<i", CALL_32: "<i", RELATIVE_64: "<q"}.get(kind)
    if form is None:
        raise Unplaceable(f"relocation of type {kind}")
    struct.pack_into(form, memory, offset, value)


def _close(base: int, size: int) -> None:
    """From now on these pages are executed, and not written."""
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if protect(base, size, mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(ctypes.get_errno(), "this system does not let a process make code")


@cache
def _of_the_c_library(name: str) -> int:
    for library in LIBRARIES:
        try:
            found = getattr(ctypes.CDLL(library), name)
        except (OSError, AttributeError):
            continue
        return int(ctypes.cast(found, ctypes.c_void_p).value or 0)
    raise Unplaceable(f"needs {name}")
