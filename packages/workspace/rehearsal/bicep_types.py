"""The types of a Bicep file: simple names, arrays, objects, tuples, unions, and those that are declared elsewhere."""

from typing import Any

from workspace.rehearsal.bicep_syntax import Access, Constant, Member, Name, Operation, Text, Type
from workspace.rehearsal.bicep_terms import Terms

_SIMPLE = ("string", "int", "bool", "object", "array")


class Types(Terms):
    """Reads types, too."""

    def _type(self) -> Type:
        if self._comes_after_lines("|"):  # a union may begin on the next line, with a bar before its first member
            self._take()
        first = self._single_type()
        members = [first]
        while self._comes_after_lines("|"):
            self._take()
            self._lines()
            members.append(self._single_type())
        return self._union(members) if len(members) > 1 else first

    def _single_type(self) -> Type:
        start = self._now
        if start.sort == "name":
            return self._type_suffixes(self._named_type())
        if start.sort in ("text", "number") or self._is("-", "!"):
            return self._type_suffixes(self._literal_type())
        self._note("knows the types string, int, bool, object, array only.")
        if self._is("{"):
            return self._type_suffixes(self._object_type())
        if self._is("["):
            return self._type_suffixes(self._tuple_type())
        if self._accept("("):
            self._lines()
            inner = self._type()
            self._lines()
            self._expect(")")
            return self._type_suffixes(inner)
        raise self._error("BCP279", "Expected a type at this location.")

    def _named_type(self) -> Type:
        start = self._take()
        if start.text in _SIMPLE:
            return Type(start.place, start.text)
        if start.text in ("true", "false"):
            return Type(start.place, "bool", literals=(Constant(start.place, start.text == "true"),))
        self._note("knows the types string, int, bool, object, array only.", start)
        if start.text in ("null", "any"):
            return Type(start.place, "", nullable=True)
        if start.text == "resource" and self._now.sort == "text":
            raise self._error("BCP000", "The rehearsal subset does not know parameters that are resources.", start)
        if self._accept("<"):  # made of another type, as resourceInput<'Microsoft.Web/sites@2023-12-01'>
            self._type()
            while self._accept(","):
                self._type()
            self._expect(">")
            return Type(start.place, "")
        return Type(start.place, "", refers=Name(start.place, start.text))

    def _literal_type(self) -> Type:
        start = self._now
        value = self._unary()
        if isinstance(value, Text):
            return Type(start.place, "string", literals=(value,))
        if isinstance(value, Constant):
            return Type(start.place, "int", literals=(value,))
        if isinstance(value, Operation) and len(value.operands) == 1:  # the opposite of a type that has one value
            self._note("knows the types string, int, bool, object, array only.", start)
            return Type(start.place, "", literals=(value,))
        raise self._error("BCP279", "Expected a type at this location.", start)

    def _object_type(self) -> Type:
        place = self._expect("{").place
        members: list[Member] = []
        rest = None
        self._lines()
        while not self._is("}"):
            decorators = self._decorators()
            if self._is("*"):
                self._take()
                self._expect(":")
                rest = self._type()
            else:
                key = self._key()
                self._expect(":")
                members.append(Member(key.place, key.plain or "", self._type(), decorators))
            if not self._is("}") and not self._accept(",") and self._now.sort != "newline":
                raise self._error("BCP019", "Expected a new line character at this location.")
            self._lines()
        self._take()
        return Type(place, "object", rest, members=tuple(members))

    def _tuple_type(self) -> Type:
        place = self._expect("[").place
        members: list[Member] = []
        self._lines()
        while not self._is("]"):
            decorators = self._decorators()
            kind = self._type()
            members.append(Member(kind.place, "", kind, decorators))
            if not self._is("]") and not self._accept(",") and self._now.sort != "newline":
                raise self._error("BCP019", "Expected a new line character at this location.")
            self._lines()
        self._take()
        return Type(place, "array", members=tuple(members))

    def _type_suffixes(self, kind: Type) -> Type:
        while True:
            if self._accept("["):
                kind = self._indexed(kind)
            elif self._accept("?"):
                kind = Type(
                    kind.place, kind.name, kind.element, kind.literals, True, members=kind.members, refers=kind.refers
                )
            elif self._accept("."):
                key = Text(self._now.place, ("*" if self._accept("*") else self._word().text,))
                kind = _part(kind, key)
            elif not self._accept("!"):
                return kind

    def _indexed(self, kind: Type) -> Type:
        if self._accept("]"):
            return Type(kind.place, "array", element=kind)
        self._note("does not know the type of an item.")
        key = Text(self._take().place, ("*",)) if self._is("*") else self._primary()
        self._expect("]")
        return _part(kind, key)

    def _union(self, members: list[Type]) -> Type:
        first = members[0]
        literals = tuple(each.literals[0] for each in members if len(each.literals) == 1 and not each.nullable)
        names = {each.name for each in members}
        if len(literals) == len(members) and len(names) == 1:
            return Type(first.place, first.name, literals=literals)
        self._note("knows unions of literals of one type only.")
        nullable = any(each.nullable for each in members)
        plain = [each for each in members if not (each.nullable and not (each.name or each.refers))]
        if len(literals) == len(plain):  # literals of several types, or null beside them
            name = plain[0].name if len({each.name for each in plain}) == 1 else ""
            return Type(first.place, name, literals=literals, nullable=nullable)
        return Type(first.place, "", nullable=nullable, members=tuple(Member(each.place, "", each) for each in members))


def _part(kind: Type, key: Any) -> Type:
    """The type of a property or an item of another; what it is only the other's declaration tells."""
    return Type(kind.place, "", refers=Access(kind.place, kind.refers, key) if kind.refers else None)
