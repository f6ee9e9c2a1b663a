"""Room for more copies of a file on its filesystem: will the next backups fit?"""

import bailiwick
from bailiwick import CouldNotCheck, Finding, Report, Severity, Target, Unit, VerbError, ask, finding, number, slot
from wit_world.imports import files, system
from wit_world.imports.files import Kind


def check(target: Target) -> list[Finding]:
    """Checks one target."""
    warn = number(target, "warn-copies")
    critical = number(target, "critical-copies")
    file = slot(target, "file")
    path = file.literal

    try:
        stat = ask("files.stat", files.stat, target, file.key)
    except CouldNotCheck as gone:
        if gone.error != VerbError.NOT_FOUND:
            raise
        return [finding("file", Severity.CRITICAL, path, f"{path} does not exist", because=[gone])]
    size = stat.value.size
    if stat.value.kind != Kind.REGULAR:
        return [finding("file", Severity.UNKNOWN, path, f"{path} is not a regular file", because=[stat])]
    if size == 0:
        return [finding("file", Severity.WARNING, path, f"{path} is empty", because=[stat])]

    try:
        mounted = ask("system.filesystems", system.filesystems, target)
    except CouldNotCheck as cannot:
        if cannot.error != VerbError.UNSUPPORTED:
            raise
        return [finding("room", Severity.UNKNOWN, path, "the target cannot list its filesystems", because=[cannot])]
    # The deepest mount point above the file; of two at one place, the upper one.
    holding = [it for it in reversed(mounted.value) if is_below(it.mount_point, path)]
    if not holding:
        return [finding("room", Severity.UNKNOWN, path, f"no mounted filesystem holds {path}", because=[mounted])]
    home = max(holding, key=lambda it: len(it.mount_point))

    copies = home.available // size
    severity = Severity.CRITICAL if copies < critical else Severity.WARNING if copies < warn else Severity.OK
    title = f"{home.mount_point} has room for {copies} more copies of {path}"
    metrics = [
        ("copies", copies, Unit.COUNT),
        ("available-bytes", home.available, Unit.BYTES),
        ("file-bytes", size, Unit.BYTES),
    ]
    return [finding("room", severity, path, title, metrics, because=[stat, mounted])]


def is_below(mount: str, path: str) -> bool:
    """True if a path lies on or below a mount point."""
    return mount == "/" or path == mount or path.startswith(mount + "/")


class WitWorld:
    """The component's one export; componentize-py requires this name."""

    def examine(self, targets: list[Target]) -> Report:
        return bailiwick.examine(check, targets)
