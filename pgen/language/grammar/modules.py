"""Files and their imports: from texts to scopes.

A file that is imported twice is two copies, so that overriding a rule of one leaves
the other alone; within one file all imports from another are one. Absolute imports
are looked for next to the grammar, among the grammars that come with Lark, and among
pgen's own.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

from pgen.errors import InvalidLanguage
from pgen.language.base import late
from pgen.language.grammar import library
from pgen.language.grammar.definitions import Entry, Scope, did_you_mean
from pgen.language.grammar.reader import read
from pgen.language.grammar.syntax import Definition, Document, Import, is_terminal
from pgen.language.grammar.tokens import Source

MAX_FILES = 1000


def load(source: Source, folder: Path | None) -> tuple[Scope, Document]:
    """The scope and the statements of a grammar's text; `folder` is where its imports are looked for."""
    document = read(source)
    return _Loader().scope(source, document, folder, "", {}, ()), document


class _Loader:
    def __init__(self) -> None:
        self.n_files = 0

    def scope(
        self,
        source: Source,
        document: Document,
        folder: Path | None,
        prefix: str,
        aliases: dict[str, str],
        within: tuple[Path, ...],
    ) -> Scope:
        """The names of one file; `aliases` are the names that the importing file gives to some of them."""
        scope = Scope(source)
        for (path, relative), statements in _by_file(document.imports).items():
            self._import(scope, path, relative, statements, folder, (prefix, aliases), within)
        for name, position in document.declared:
            if name not in scope.entries:
                scope.entries[name] = Entry(aliases.get(name, prefix + name), (), [], scope, position, declared=True)
        for definition in document.definitions:
            _define(scope, definition, aliases.get(definition.name, prefix + definition.name))
        return scope

    def _import(
        self,
        scope: Scope,
        path: tuple[str, ...],
        relative: bool,
        statements: list[Import],
        folder: Path | None,
        naming: tuple[str, dict[str, str]],
        within: tuple[Path, ...],
    ) -> None:
        first, (prefix, aliases) = statements[0], naming
        file = _found(scope.source, first, folder)
        self._check(scope.source, first, file, within)
        wanted = [(there, here, at) for statement in statements for there, here, at in statement.names]
        given = {there: aliases.get(here, prefix + here) for there, here, _ in reversed(wanted)}
        source, document = _read_file(file)
        inner_prefix = f"{prefix}{'.' * relative}{'.'.join(path)}."
        inner = self.scope(source, document, file.parent, inner_prefix, given, (*within, file))
        for there, here, position in wanted:
            _bind(scope, inner, there, here, position, aliases.get(here, prefix + here))

    def _check(self, source: Source, statement: Import, file: Path, within: tuple[Path, ...]) -> None:
        self.n_files += 1
        if file in within:
            raise source.invalid(f"{file.name} imports itself", statement.position)
        if self.n_files > MAX_FILES:
            raise source.too_much(f"more than {MAX_FILES} imported files", statement.position)


def _by_file(imports: tuple[Import, ...]) -> dict[tuple[tuple[str, ...], bool], list[Import]]:
    files: dict[tuple[tuple[str, ...], bool], list[Import]] = {}
    for statement in imports:
        files.setdefault((statement.path, statement.relative), []).append(statement)
    return files


def _bind(scope: Scope, inner: Scope, there: str, here: str, position: int, name: str) -> None:
    """Make the name `there` of an imported file known as `here`."""
    if there not in inner.entries:
        kind, known = "terminal" if is_terminal(there) else "rule", inner.entries
        message = f"{inner.source.origin} has no {kind} {there}"
        raise scope.source.invalid(message, position, did_you_mean(there, known))
    if is_terminal(there) != is_terminal(here):
        raise scope.source.invalid(f"{there} cannot be imported as {here}", position, "terminals are in upper case")
    entry = inner.entries[there]
    if entry.name != name:
        entry = Entry(name, entry.parameters, entry.parts, entry.scope, entry.position, entry.declared, entry.special)
    if scope.entries.setdefault(here, entry).parts is not entry.parts:
        raise scope.source.invalid(f"{here} is imported twice", position)


def _define(scope: Scope, definition: Definition, name: str) -> None:
    known = scope.entries.get(definition.name)
    part = (definition.body, scope)
    if known is None and definition.mode == "define":
        scope.entries[definition.name] = Entry(name, definition.parameters, [part], scope, definition.position)
        return
    if known is None:
        hint = did_you_mean(definition.name, scope.entries)
        message = f"nothing to {definition.mode}: {definition.name} is not defined before"
        raise scope.source.invalid(message, definition.position, hint)
    if definition.mode == "define" and not known.declared:
        hint = "use %override to replace it, %extend to add to it"
        raise scope.source.invalid(f"{known.kind} {definition.name} is defined twice", definition.position, hint)
    if definition.mode == "extend" and known.parameters != definition.parameters:
        raise scope.source.invalid(f"{definition.name} has other parameters elsewhere", definition.position)
    known.parts[:] = [*known.parts, part] if definition.mode == "extend" else [part]
    known.parameters, known.declared = definition.parameters, False


def _found(source: Source, statement: Import, folder: Path | None) -> Path:
    """The file that an import means."""
    name = Path(*statement.path).with_suffix(".lark")
    if statement.relative and folder is None:
        hint = "use pgen.Grammar.from_file(path), or say where: pgen.Grammar(text, folder=...)"
        raise source.invalid("a relative import in a grammar that is no file", statement.position, hint)
    folders = [folder] if folder is not None else []
    if not statement.relative:
        folders += [_lark_folder(), Path(next(iter(late("pgen.grammars:__path__"))))]
    for place in folders:
        if (place / name).is_file():
            return (place / name).resolve()
    shipped = ", ".join(sorted(path.stem for path in _lark_folder().glob("*.lark")))
    raise source.invalid(
        f"no grammar {'.'.join(statement.path)} to import from", statement.position, f"{shipped} come with Lark"
    )


@lru_cache(maxsize=1)
def _lark_folder() -> Path:
    found = importlib.util.find_spec("lark")
    if found is None or found.origin is None:
        raise InvalidLanguage("%import needs the package lark, which is not installed", hint="pip install lark")
    return Path(found.origin).parent / "grammars"


def _read_file(file: Path) -> tuple[Source, Document]:
    if file.parent == _lark_folder().resolve():
        return _read_shipped(file)
    source = Source(text_of(file), file.name)
    return source, read(source)


@lru_cache(maxsize=8)
def _read_shipped(file: Path) -> tuple[Source, Document]:
    source = Source(text_of(file) + library.REPLACED.get(file.name, ""), file.name)
    return source, read(source)


def text_of(file: Path) -> str:
    """The text of a grammar file. Raises `InvalidLanguage` if there is none."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidLanguage(f"cannot read the grammar {file}: {error}") from None
