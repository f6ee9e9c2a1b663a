//! Readers of the `system` verbs' answers.

use super::text::{decimal, ended, failure, grepped, known_message, lines_of, number, only_line_of, properties, whole};
use bailiwick_bindings::ops::system::{
    Filesystem, IdentityInfo, Inodes, LoadInfo, Login, MemoryInfo, TimeSyncInfo, UptimeInfo,
};
use bailiwick_core::model::Answer;
use bailiwick_core::model::VerbError;
use bailiwick_core::redact::MARK;

use VerbError::Garbled;

pub(super) fn identity(answer: &Answer) -> Result<IdentityInfo, VerbError> {
    let text = grepped(answer, &["/proc/sys/kernel/hostname", "/proc/sys/kernel/osrelease", "/etc/os-release"])?;
    let first = |file| only_line_of(&text, file).map(str::to_owned);
    let release = |key: &str| {
        lines_of(&text, "/etc/os-release")
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| *name == key)
            .map(|(_, value)| unquote(value))
            .unwrap_or_default()
    };
    Ok(IdentityInfo {
        hostname: first("/proc/sys/kernel/hostname")?,
        kernel: first("/proc/sys/kernel/osrelease")?,
        os: release("ID"),
        os_version: release("VERSION_ID"),
        os_title: release("PRETTY_NAME"),
    })
}

/// A value of os-release: plain, or quoted as in a shell.
fn unquote(value: &str) -> String {
    let inner = |quote| value.strip_prefix(quote).and_then(|rest: &str| rest.strip_suffix(quote));
    if let Some(single) = inner('\'') {
        return single.to_owned();
    }
    let Some(double) = inner('"') else { return value.to_owned() };
    let mut text = String::with_capacity(double.len());
    let mut chars = double.chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

pub(super) fn uptime(answer: &Answer) -> Result<UptimeInfo, VerbError> {
    let text = grepped(answer, &["/proc/uptime", "/run/reboot-required", "/run/reboot-required.pkgs"])?;
    let line = only_line_of(&text, "/proc/uptime")?;
    let (seconds, _idle) = line.split_once(' ').ok_or(Garbled)?;
    Ok(UptimeInfo {
        seconds: decimal(seconds)?,
        reboot_required: lines_of(&text, "/run/reboot-required").next().is_some(),
        reboot_packages: lines_of(&text, "/run/reboot-required.pkgs").map(str::to_owned).collect(),
    })
}

pub(super) fn load(answer: &Answer) -> Result<LoadInfo, VerbError> {
    let text = grepped(answer, &["/proc/loadavg", "/sys/devices/system/cpu/online"])?;
    let line = only_line_of(&text, "/proc/loadavg")?;
    let mut words = line.split(' ');
    let mut average = || words.next().ok_or(Garbled).and_then(decimal);
    let (one, five, fifteen) = (average()?, average()?, average()?);
    let (runnable, entities) = words.next().and_then(|word| word.split_once('/')).ok_or(Garbled)?;
    // The last word is the newest process's number: without it the line was cut.
    words.next().ok_or(Garbled).and_then(number::<u64>)?;
    let online = only_line_of(&text, "/sys/devices/system/cpu/online")?;
    Ok(LoadInfo {
        one,
        five,
        fifteen,
        runnable: number(runnable)?,
        entities: number(entities)?,
        cpus: processors(online)?,
    })
}

/// How many there are in a list such as `0-3,8`.
fn processors(list: &str) -> Result<u32, VerbError> {
    let mut sum = 0u32;
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (number(first)?, number(last)?);
        let count = last.checked_sub(first).and_then(|n| n.checked_add(1)).ok_or(Garbled)?;
        sum = sum.checked_add(count).ok_or(Garbled)?;
    }
    // Linux knows 8,192 at most.
    if sum <= 1 << 16 { Ok(sum) } else { Err(Garbled) }
}

pub(super) fn memory(answer: &Answer) -> Result<MemoryInfo, VerbError> {
    let text = grepped(answer, &["/proc/meminfo"])?;
    let bytes = |key: &str| {
        let mut lines = lines_of(&text, "/proc/meminfo").filter_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let (Some(line), None) = (lines.next(), lines.next()) else { return Err(Garbled) };
        let kib: u64 = number(line.trim().strip_suffix(" kB").ok_or(Garbled)?)?;
        kib.checked_mul(1024).ok_or(Garbled)
    };
    Ok(MemoryInfo {
        total: bytes("MemTotal")?,
        available: bytes("MemAvailable")?,
        free: bytes("MemFree")?,
        swap_total: bytes("SwapTotal")?,
        swap_free: bytes("SwapFree")?,
    })
}

/// `df`'s table. Status 1 with rows is a mount that the account may not read: the others count.
pub(super) fn filesystems(answer: &Answer) -> Result<Vec<Filesystem>, VerbError> {
    if !ended(answer, &[0, 1]) || answer.stdout.is_empty() {
        return Err(failure(answer));
    }
    let text = whole(answer)?;
    let mut lines = text.lines();
    let header = lines.next().ok_or(Garbled)?;
    if !header.starts_with("Filesystem") || !header.ends_with("Mounted on") {
        return Err(Garbled);
    }
    // Sources may contain spaces: the header shows where the second column begins.
    let kind_at = header.find(" Type ").ok_or(Garbled)?;
    let mut filesystems = Vec::new();
    for line in lines {
        // The mark of a redacted password in a source has another width. Such a source is a URL, without spaces. But a source
        // may also have this name: a row that fits both ways is ambiguous.
        let word = line.split(' ').next().unwrap_or_default();
        let moved = if word.contains(MARK) { row(line, word.len()) } else { None };
        let Row { source, kind, figures, mount_point } = match (row(line, kind_at), moved) {
            (Some(row), None) | (None, Some(row)) => row,
            _ => return Err(Garbled),
        };
        let [size, used, available, inodes, inodes_used, inodes_free] = figures;
        // A filesystem of unknown size has no space to run out of.
        if size == "-" {
            continue;
        }
        filesystems.push(Filesystem {
            source: source.to_owned(),
            kind: kind.to_owned(),
            mount_point: mount_point.to_owned(),
            size: number(size)?,
            used: number(used)?,
            // Negative where more is in use than an unprivileged program may have.
            available: if available.starts_with('-') { 0 } else { number(available)? },
            inodes: match inodes {
                "-" | "0" => None,
                total => Some(Inodes { total: number(total)?, used: number(inodes_used)?, free: number(inodes_free)? }),
            },
        });
    }
    Ok(filesystems)
}

/// A row of `df`'s table.
struct Row<'a> {
    source: &'a str,
    kind: &'a str,
    figures: [&'a str; 6],
    mount_point: &'a str,
}

/// The columns of a row whose second follows the space at `kind_at`; `None` if it does not fit.
fn row(line: &str, kind_at: usize) -> Option<Row<'_>> {
    let source = line.get(..kind_at)?.trim_end();
    let (kind, mut rest) = line.get(kind_at..)?.trim_start_matches(' ').split_once(' ')?;
    let mut figures = [""; 6];
    for figure in &mut figures {
        let (word, after) = rest.trim_start().split_once(' ')?;
        let digits = word.strip_prefix('-').unwrap_or(word);
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        (*figure, rest) = (word, after);
    }
    let fits = line.get(kind_at..)?.starts_with(' ') && !source.is_empty() && rest.starts_with('/');
    fits.then_some(Row { source, kind, figures, mount_point: rest })
}

pub(super) fn time_sync(answer: &Answer) -> Result<TimeSyncInfo, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure(answer));
    }
    let text = whole(answer)?;
    let values = properties(&text)?;
    let flag = |key| match values.get(key) {
        Some(&"yes") => Ok(true),
        Some(&"no") => Ok(false),
        _ => Err(Garbled),
    };
    Ok(TimeSyncInfo {
        synchronized: flag("NTPSynchronized")?,
        enabled: flag("NTP")?,
        timezone: (*values.get("Timezone").ok_or(Garbled)?).to_owned(),
    })
}

/// `who`: user, terminal, time, and in brackets where from. BusyBox prints a header and other columns.
pub(super) fn logins(answer: &Answer) -> Result<Vec<Login>, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure(answer));
    }
    if let Some(error) = known_message(answer) {
        return Err(error);
    }
    let text = whole(answer)?;
    if text.starts_with("USER\t") {
        return Err(VerbError::Unsupported);
    }
    text.lines().map(login).collect()
}

fn login(line: &str) -> Result<Login, VerbError> {
    let (line, origin) = match line.strip_suffix(')').and_then(|line| line.rsplit_once(" (")) {
        Some((line, origin)) => (line, origin),
        None => (line, ""),
    };
    let mut words: Vec<&str> = line.split_whitespace().collect();
    // `Nov 21 10:36`, or `2026-11-21 10:36` from a `who` that does not ask its locale.
    let day_at = words.len().checked_sub(2).ok_or(Garbled)?;
    let iso = words.get(day_at).is_some_and(|day| day.len() == 10 && day.matches('-').count() == 2);
    let since = words.split_off(if iso { day_at } else { day_at.checked_sub(1).ok_or(Garbled)? });
    let clock = since.last().is_some_and(|time| time.len() == 5 && time.as_bytes().get(2) == Some(&b':'));
    match words.split_first() {
        Some((user, terminal)) if clock && !terminal.is_empty() => Ok(Login {
            user: (*user).to_owned(),
            terminal: terminal.join(" "),
            since: since.join(" "),
            origin: origin.to_owned(),
        }),
        _ => Err(Garbled),
    }
}
