"""What a text with one expression in it may become in a run: the choices of an input, a matrix, a variable."""

from collections.abc import Iterator

from workspace.preflight.github_expressions import Constant, Operation, Reference, Tree, expressions
from workspace.preflight.github_workflow import Job, Step
from workspace.preflight.github_yaml import Piece

# Variables that are made of variables are followed so far.
_DEPTH = 4


def readings(job: Job, step: Step | None, text: str) -> tuple[str, ...]:
    """Every text that one may become; nothing where that cannot be told, as with two expressions that differ."""
    return _readings(job, step, text, _DEPTH)


def asked(text: str) -> frozenset[str]:
    """The names of the inputs, variables and keys of the matrix that a text reads."""
    return frozenset(each.names[-1].lower() for found in expressions(text) for each in found.references)


def _readings(job: Job, step: Step | None, text: str, depth: int) -> tuple[str, ...]:
    found = expressions(text)
    if not found:
        return (text,)
    if len({each.source for each in found}) > 1 or not depth:
        return ()
    written = text[found[0].start : found[0].end]
    values = _values(job, step, found[0].tree, depth - 1)
    return tuple(dict.fromkeys(text.replace(written, each) for each in values))


def _values(job: Job, step: Step | None, tree: Tree | None, depth: int) -> tuple[str, ...]:
    if isinstance(tree, Constant):
        return (str(tree.value),) if tree.value else ()
    if isinstance(tree, Operation) and tree.sign == "||":
        parts = [_values(job, step, each, depth) for each in tree.parts]
        return tuple(each for part in parts for each in part) if all(parts) else ()
    if not isinstance(tree, Reference):
        return ()
    names = tuple(each.lower() for each in tree.names)
    if names[0] == "env" and len(names) == 2:
        return _variable(job, step, tree.names[1], depth)
    if names[0] == "matrix" and len(names) == 2:
        return tuple(_of_matrix(job, names[1]))
    if names[0] == "inputs" and len(names) == 2:
        return _of_input(job, tree.names[1], depth)
    return _of_input(job, tree.names[3], depth) if names[:3] == ("github", "event", "inputs") and names[3:] else ()


def _variable(job: Job, step: Step | None, name: str, depth: int) -> tuple[str, ...]:
    holders = [*([step.piece["env"]] if step else []), job.piece["env"], job.workflow.piece["env"]]
    found = next((each[name] for each in holders if each[name]), None)
    return _readings(job, None, found.text, depth) if found and found.text else ()


def _of_matrix(job: Job, name: str) -> Iterator[str]:
    matrix = job.piece["strategy"]["matrix"]
    if not matrix.is_mapping or matrix["exclude"] or any(expressions(value.text) for _, value in matrix.items):
        return
    for lines in (matrix.items, *(each.items for each in matrix["include"].parts)):
        for key, value in lines:
            if key.lower() == name:
                yield from (each.text for each in value.parts if each.is_text and not expressions(each.text))


def _of_input(job: Job, name: str, depth: int) -> tuple[str, ...]:
    """The choices of a person, and what the workflows of the checkout hand over; nothing where others may call it."""
    choices = tuple(each.text for each in job.workflow.inputs("workflow_dispatch")[name]["options"].parts)
    if "workflow_call" not in job.workflow.events:
        return choices
    handed: list[str] = []
    for caller in job.workflow.callers:
        given = caller.piece["with"][name] or _default(job, name)
        found = _readings(caller, None, given.text, depth) if given.text else ()
        if not found:
            return ()
        handed += found
    return tuple(dict.fromkeys((*choices, *handed)))


def _default(job: Job, name: str) -> Piece:
    return job.workflow.inputs("workflow_call")[name]["default"]
