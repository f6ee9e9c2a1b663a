// Room for more copies of a file on its filesystem: will the next backups fit?
import files from "bailiwick:ops/files@0.1.0";
import system from "bailiwick:ops/system@0.1.0";
import { ask, finding, number, probe, slot } from "./bailiwick.js";

export const examine = probe((target) => {
  const warn = number(target, "warn-copies");
  const critical = number(target, "critical-copies");
  const file = slot(target, "file");
  const path = file.literal;

  let stat;
  try {
    stat = ask("files.stat", () => files.stat(target, file.key));
  } catch (gone) {
    if (gone.error !== "not-found") throw gone;
    return [finding("file", "critical", path, `${path} does not exist`, { because: [gone] })];
  }
  const { kind, size } = stat.value;
  if (kind !== "regular") {
    return [finding("file", "unknown", path, `${path} is not a regular file`, { because: [stat] })];
  }
  if (size === 0) {
    return [finding("file", "warning", path, `${path} is empty`, { because: [stat] })];
  }

  let mounted;
  try {
    mounted = ask("system.filesystems", () => system.filesystems(target));
  } catch (cannot) {
    if (cannot.error !== "unsupported") throw cannot;
    return [finding("room", "unknown", path, "the target cannot list its filesystems", { because: [cannot] })];
  }
  // The deepest mount point above the file; of two at one place, the upper one.
  const home = mounted.value
    .filter(({ mountPoint }) => isBelow(mountPoint, path))
    .reduce((best, it) => (best && best.mountPoint.length > it.mountPoint.length ? best : it), null);
  if (home === null) {
    return [finding("room", "unknown", path, `no mounted filesystem holds ${path}`, { because: [mounted] })];
  }

  const copies = Math.floor(home.available / size);
  const severity = copies < critical ? "critical" : copies < warn ? "warning" : "ok";
  return [
    finding("room", severity, path, `${home.mountPoint} has room for ${copies} more copies of ${path}`, {
      metrics: [
        ["copies", copies, "count"],
        ["available-bytes", home.available, "bytes"],
        ["file-bytes", size, "bytes"],
      ],
      because: [stat, mounted],
    }),
  ];
});

/** True if a path lies on or below a mount point. */
function isBelow(mount, path) {
  return mount === "/" || path === mount || path.startsWith(`${mount}/`);
}
