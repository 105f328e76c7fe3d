"""The declarations of a Bicep file, and those of a file of parameters."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from workspace.rehearsal.bicep_syntax import Call, Declaration, File, Lambda, Object, Text, Type
from workspace.rehearsal.bicep_tokens import Source, Token
from workspace.rehearsal.bicep_types import Types

_UNKNOWN = (
    "This declaration type is not recognized. Specify a metadata, parameter, variable, resource, or output declaration."
)
_UNKNOWN_IN_PARAMETERS = (
    "This declaration type is not valid for a Bicep Parameters file. "
    "Specify a using, extends, parameter or variable declaration."
)
_Reader = Callable[[Token, tuple[Call, ...]], Declaration | tuple[Declaration, ...]]


def parse(source: Source) -> File:
    """The declarations of a file; raises BicepError at the first place that is not understood."""
    parser = _Parser(source, source.tokens())
    return parser.file(parser.readers, _UNKNOWN)


def parse_parameters(source: Source) -> File:
    """The declarations of a `.bicepparam`: `using`, `extends`, `given` for each value, and what values are made of."""
    parser = _Parser(source, source.tokens())
    return parser.file(parser.readers_of_parameters, _UNKNOWN_IN_PARAMETERS)


class _Parser(Types):
    @property
    def readers(self) -> Mapping[str, _Reader]:
        """What may be declared in a template."""
        return {
            "param": self._parameter,
            "output": self._output,
            "resource": self._resource,
            "module": self._resource,
            "assert": self._assertion,
            "extension": self._extension,
            "provider": self._extension,
            "test": self._test,
            **self._of_both,
        }

    @property
    def readers_of_parameters(self) -> Mapping[str, _Reader]:
        """What may be declared in a file of parameters."""
        return {
            "using": self._other_file,
            "extends": self._other_file,
            "param": self._given,
            "extensionConfig": self._configuration,
            **self._of_both,
        }

    @property
    def _of_both(self) -> Mapping[str, _Reader]:
        return {
            "var": self._variable,
            "metadata": self._variable,
            "type": self._type_declaration,
            "func": self._function,
            "import": self._import,
        }

    def file(self, readers: Mapping[str, _Reader], unknown: str) -> File:
        """The whole file."""
        result = File(self._source, beyond=self._beyond)
        self._lines()
        while self._now.sort != "end":
            self._declaration(result, readers, unknown)
            if self._now.sort not in ("newline", "end"):
                raise self._error("BCP019", "Expected a new line character at this location.")
            self._lines()
        return result

    def _declaration(self, result: File, readers: Mapping[str, _Reader], unknown: str) -> None:
        if self._is_word("targetScope"):
            self._take()
            self._expect("=")
            result.scope = self._plain_text("BCP033")
            return
        decorators = self._decorators()
        word = self._now
        if word.sort != "name" or word.text not in readers:
            raise self._error("BCP007", unknown)
        self._take()
        found = readers[word.text](word, decorators)
        result.declarations.extend(found if isinstance(found, tuple) else (found,))

    # --- what a template has from its first day

    def _parameter(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        name = self._word()
        kind = self._type()
        value = self._expression() if self._accept("=") else None
        return Declaration(name.place, "param", name.text, decorators, kind, value=value)

    def _variable(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        name = self._word("BCP015")
        kind = None
        if not self._is("="):
            self._note("does not know variables with a type.")
            kind = self._type()
        self._expect("=")
        return Declaration(name.place, word.text, name.text, decorators, kind, value=self._expression())

    def _output(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        name = self._word("BCP016")
        kind = self._type()
        self._expect("=")
        return Declaration(name.place, "output", name.text, decorators, kind, value=self._expression())

    def _resource(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        name = self._word("BCP017")
        reference = self._primary()
        if not isinstance(reference, Text):
            raise self._error("BCP067", "Expected a text with a type or a path at this location.")
        existing = word.text == "resource" and self._is_word("existing")
        self._at += existing
        self._expect("=")
        self._lines()
        if self._is("["):
            loop = self._loop()
            found = Declaration(name.place, word.text, name.text, condition=loop.condition, loop=loop, value=loop.body)
        else:
            condition = self._condition()
            found = Declaration(name.place, word.text, name.text, condition=condition, value=self._object())
        if not isinstance(found.value, Object):
            raise self._source.error(name.place, "BCP167", 'Expected the "{" character at this location.')
        return replace(found, decorators=decorators, reference=reference, existing=existing)

    # --- what came later

    def _later(self, word: Token) -> None:
        self._note(f'does not know the declaration "{word.text}".', word)

    def _type_declaration(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        self._later(word)
        name = self._word("BCP015")
        self._expect("=")
        return Declaration(name.place, "type", name.text, decorators, self._type())

    def _function(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        self._later(word)
        name = self._word("BCP015")
        place = self._expect("(").place
        names: list[str] = []
        types: list[Type] = []
        self._lines()
        while not self._is(")"):
            names.append(self._word().text)
            types.append(self._type())
            self._lines()
            if not self._is(")"):
                self._expect(",")
                self._lines()
        self._take()
        kind = self._type()
        self._expect("=>")
        self._lines()
        body = Lambda(place, tuple(names), self._expression(), tuple(types))
        return Declaration(name.place, "func", name.text, decorators, kind, value=body)

    def _assertion(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        self._later(word)
        name = self._word()
        self._expect("=")
        return Declaration(name.place, "assert", name.text, decorators, value=self._expression())

    def _test(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        raise self._error("BCP000", 'The rehearsal subset does not know the declaration "test".', word)

    def _import(self, word: Token, decorators: tuple[Call, ...]) -> Declaration | tuple[Declaration, ...]:
        if self._now.sort == "text":  # how extensions were written first
            return self._extension(word, decorators)
        self._later(word)
        if self._accept("*"):
            name = self._as()
            found = [Declaration(name.place, "import", name.text, decorators)]
        else:
            found = self._imported(decorators)
        self._keyword("from")
        reference = self._primary()
        if not isinstance(reference, Text):
            raise self._error("BCP359", "Expected the path of a file at this location.")
        return tuple(replace(each, reference=reference) for each in found)

    def _imported(self, decorators: tuple[Call, ...]) -> list[Declaration]:
        found: list[Declaration] = []
        self._expect("{")
        self._lines()
        while not self._is("}"):
            original = self._key()
            name = self._as() if self._is_word("as") else None
            place, local = (name.place, name.text) if name else (original.place, original.plain or "")
            found.append(Declaration(place, "import", local, decorators, value=original))
            if not self._is("}") and not self._accept(",") and self._now.sort != "newline":
                raise self._error("BCP019", "Expected a new line character at this location.")
            self._lines()
        self._take()
        return found

    def _extension(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        self._later(word)
        start = self._now
        reference = self._primary() if start.sort == "text" else None
        name = start.text if reference is not None else self._word().text
        if isinstance(reference, Text):
            name = (reference.plain or "").partition("@")[0].rpartition("/")[2].partition(":")[0]
        given = None
        if self._is_word("with"):
            self._take()
            given = self._expression()
        if self._is_word("as"):
            name = self._as().text
        return Declaration(start.place, "extension", name, decorators, reference=reference, value=given)

    def _as(self) -> Token:
        self._keyword("as")
        return self._word()

    def _keyword(self, word: str) -> None:
        if not self._is_word(word):
            raise self._error("BCP012", f'Expected the "{word}" keyword at this location.')
        self._take()

    # --- a file of parameters

    def _other_file(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        reference = None
        place = self._now.place
        if word.text == "using" and self._is_word("none"):
            self._take()
        else:
            reference = self._primary()
            if not isinstance(reference, Text):
                raise self._source.error(place, "BCP278", "Expected the path of a file at this location.")
        given = None
        if self._is_word("with"):
            self._take()
            given = self._expression()
        return Declaration(place, word.text, "", decorators, reference=reference, value=given)

    def _given(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        name = self._word()
        self._expect("=")
        return Declaration(name.place, "given", name.text, decorators, value=self._expression())

    def _configuration(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        name = self._word()
        self._keyword("with")
        return Declaration(name.place, "extensionConfig", name.text, decorators, value=self._expression())
