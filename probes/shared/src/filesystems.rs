//! Which filesystems there is something to say of.

use bailiwick_guest::{Finding, Observed, system::Filesystem, text};

/// Kinds that hold no files of their own, are full by nature, or whose size is memory's business.
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

/// True for one that holds files of its own.
pub fn is_judged(it: &Filesystem, all: &[Filesystem]) -> bool {
    // A container's overlay repeats the numbers of the filesystem that it lies on.
    let lies_on_another = it.kind == "overlay"
        && all.iter().any(|other| {
            other.kind != "overlay" && (other.size, other.used, other.available) == (it.size, it.used, it.available)
        });
    it.size > 0 && !SKIPPED.contains(&it.kind.as_str()) && !lies_on_another
}

/// What to say where there is none, under the probe's own code.
pub fn none_judged(all: &Observed<Vec<Filesystem>>, code: &str) -> Finding {
    let title = format!("nothing to judge among {}", text::count(all.len(), "mounted filesystem"));
    Finding::unknown(code, "", title).because(all)
}
