"""What a probe needs besides its verbs. Yours to read and change; nothing else is behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from componentize_py_types import Err
from wit_world.imports import calls, params, slots
from wit_world.imports.reports import Failure, Finding, Metric, Report, Severity, Unit
from wit_world.imports.types import Target, VerbError

T = TypeVar("T")


class CouldNotLook(Exception):
    """The run could not look: not the same as "all is well"."""

    def __init__(self, reason: str, error: VerbError | None = None, call: int | None = None):
        super().__init__(reason)
        self.error = error
        self.call = call


@dataclass
class Answer(Generic[T]):
    """What a verb said, and the number of the call."""

    value: T
    call: int


def ask(name: str, verb: Callable[..., T], *arguments) -> Answer[T]:
    """Asks a verb. What is not caught ends the run, with the verb's error as its reason."""
    try:
        return Answer(verb(*arguments), calls.last())
    except Err as err:
        words = err.value.name.lower().replace("_", "-")
        raise CouldNotLook(f"{name}: {words}", err.value, calls.last()) from None


def number(target: Target, name: str) -> float:
    """A number that the operator may set; the manifest has its default."""
    value = params.get(target, name)
    if not isinstance(value, params.Value_Number):
        raise CouldNotLook(f"there is no number {name}")
    return value.value


def slot(target: Target, name: str) -> slots.Entry:
    """What the operator bound to a slot. Verbs take its key, people read its literal."""
    entries = slots.entries(target, name)
    if not entries:
        raise CouldNotLook(f"nothing is bound to slot {name}")
    return entries[0]


def finding(code, severity, subject, title, metrics=(), because=()) -> Finding:
    """A finding. `metrics` are (name, value, unit), `because` the answers (or failures) it rests on."""
    counted = [Metric(name, float(value), unit) for name, value, unit in metrics]
    return Finding(code, severity, subject, title, counted, [it.call for it in because])


def examine(look: Callable[[Target], list[Finding]], targets: list[Target]) -> Report:
    """Looks at each target of the run."""
    findings = []
    try:
        for target in targets:
            for it in look(target):
                if len(targets) > 1:
                    it.subject = f"{target.name()} {it.subject}".strip()
                findings.append(it)
    except CouldNotLook as why:
        raise Err(Failure(str(why), why.error, why.call)) from None
    return Report(findings)
