"""Helper functions for probes. Yours to read and change; there is no other library."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from componentize_py_types import Err
from wit_world.imports import calls, params, slots
from wit_world.imports.reports import Failure, Finding, Metric, Report, Severity, Unit
from wit_world.imports.types import Target, VerbError

T = TypeVar("T")


class CouldNotCheck(Exception):
    """The run could not check, which differs from "ok"."""

    def __init__(self, reason: str, error: VerbError | None = None, call: int | None = None):
        super().__init__(reason)
        self.error = error
        self.call = call


@dataclass
class Answer(Generic[T]):
    """The answer of a verb, and the number of the call."""

    value: T
    call: int


def ask(name: str, verb: Callable[..., T], *arguments) -> Answer[T]:
    """Calls a verb. An uncaught error ends the run, with the verb's error as the reason."""
    try:
        return Answer(verb(*arguments), calls.last())
    except Err as err:
        words = err.value.name.lower().replace("_", "-")
        raise CouldNotCheck(f"{name}: {words}", err.value, calls.last()) from None


def number(target: Target, name: str) -> float:
    """A number parameter: the operator's value, or the default in the manifest."""
    value = params.get(target, name)
    if not isinstance(value, params.Value_Number):
        raise CouldNotCheck(f"parameter {name} is not declared as a number")
    return value.value


def slot(target: Target, name: str) -> slots.Entry:
    """The entry of a slot. Verbs take its key; findings show its literal."""
    entries = slots.entries(target, name)
    if not entries:
        raise CouldNotCheck(f"nothing is bound to slot {name}")
    return entries[0]


def finding(code, severity, subject, title, metrics=(), because=()) -> Finding:
    """A finding. `metrics` are (name, value, unit), `because` the answers (or failures) that it is based on."""
    counted = [Metric(name, float(value), unit) for name, value, unit in metrics]
    return Finding(code, severity, subject, title, counted, [it.call for it in because])


def examine(check: Callable[[Target], list[Finding]], targets: list[Target]) -> Report:
    """Checks each target of the run."""
    findings = []
    try:
        for target in targets:
            for it in check(target):
                if len(targets) > 1:
                    it.subject = f"{target.name()} {it.subject}".strip()
                findings.append(it)
    except CouldNotCheck as why:
        raise Err(Failure(str(why), why.error, why.call)) from None
    return Report(findings)
