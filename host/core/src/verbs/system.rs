//! The machine as a whole. `grep -H .` prints a file's lines with its name before each: several files in one program,
//! unambiguous even when one is missing.

use std::time::Duration;

use super::{Invocation, Part::Word, Spec};
use crate::model::{Effect, Object};

const BASE: Spec = Spec {
    effect: Effect::Observe,
    object: Object::None,
    invocation: Invocation::Program(&[]),
    bytes_max: 64 << 10,
    timeout: Duration::from_secs(10),
    reads: "",
};

pub(super) const IDENTITY: Spec = Spec {
    invocation: Invocation::Program(&[
        Word("grep"),
        Word("-s"),
        Word("-H"),
        Word("."),
        Word("/proc/sys/kernel/hostname"),
        Word("/proc/sys/kernel/osrelease"),
        Word("/etc/os-release"),
    ]),
    reads: "host name, kernel release, distribution",
    ..BASE
};

pub(super) const UPTIME: Spec = Spec {
    invocation: Invocation::Program(&[
        Word("grep"),
        Word("-s"),
        Word("-H"),
        Word("."),
        Word("/proc/uptime"),
        Word("/run/reboot-required"),
        Word("/run/reboot-required.pkgs"),
    ]),
    reads: "seconds since boot, whether a reboot is due",
    ..BASE
};

pub(super) const LOAD: Spec = Spec {
    invocation: Invocation::Program(&[
        Word("grep"),
        Word("-s"),
        Word("-H"),
        Word("."),
        Word("/proc/loadavg"),
        Word("/sys/devices/system/cpu/online"),
    ]),
    reads: "load averages, number of processors",
    ..BASE
};

pub(super) const MEMORY: Spec = Spec {
    invocation: Invocation::Program(&[Word("grep"), Word("-s"), Word("-H"), Word("."), Word("/proc/meminfo")]),
    reads: "memory and swap in use",
    ..BASE
};

pub(super) const FILESYSTEMS: Spec = Spec {
    invocation: Invocation::Program(&[
        Word("df"),
        Word("-l"),
        Word("-B1"),
        Word("--output=source,fstype,size,used,avail,itotal,iused,iavail,target"),
    ]),
    bytes_max: 256 << 10,
    reads: "space and inodes of local filesystems",
    ..BASE
};

pub(super) const TIME_SYNC: Spec = Spec {
    invocation: Invocation::Program(&[
        Word("timedatectl"),
        Word("show"),
        Word("--property=NTP"),
        Word("--property=NTPSynchronized"),
        Word("--property=Timezone"),
    ]),
    reads: "whether the clock is synchronised",
    ..BASE
};

pub(super) const LOGINS: Spec =
    Spec { invocation: Invocation::Program(&[Word("who")]), reads: "who is logged in, from where, since when", ..BASE };

/// GNU and BusyBox both know the short option, and no other spelling of it.
pub(super) const CLOCK: Spec = Spec {
    invocation: Invocation::Program(&[Word("date"), Word("-Ins")]),
    bytes_max: 4 << 10,
    reads: "the clock, compared with the controller's",
    ..BASE
};
