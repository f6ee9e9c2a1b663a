//! Which filesystems to check.

use bailiwick_guest::{Finding, Observed, system::Filesystem, text};

/// Kinds that hold no files of their own, are always full, or are limited by memory.
const SKIPPED: [&str; 14] = [
    "tmpfs",
    "devtmpfs",
    "ramfs",
    "squashfs",
    "erofs",
    "cramfs",
    "iso9660",
    "udf",
    "efivarfs",
    "proc",
    "sysfs",
    "cgroup2fs",
    "nsfs",
    "autofs",
];

/// True for a filesystem that holds files of its own.
pub fn is_judged(it: &Filesystem, all: &[Filesystem]) -> bool {
    // A container's overlay repeats the numbers of the filesystem below it.
    let lies_on_another = it.kind == "overlay"
        && all.iter().any(|other| {
            other.kind != "overlay" && (other.size, other.used, other.available) == (it.size, it.used, it.available)
        });
    it.size > 0 && !SKIPPED.contains(&it.kind.as_str()) && !lies_on_another
}

/// The finding if there is no filesystem to check, with the probe's own code.
pub fn none_judged(all: &Observed<Vec<Filesystem>>, code: &str) -> Finding {
    let title = format!("no filesystem to check among {}", text::count(all.len(), "mounted filesystem"));
    Finding::unknown(code, "", title).because(all)
}
