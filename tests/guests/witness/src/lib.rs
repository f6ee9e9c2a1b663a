//! A well-behaved probe with the same report each time: it runs beside hostile guests, and its report is compared with that of a run alone.

use bailiwick_guest::{Failure, Finding, Probe, Report, Target, Unit, files, system};

struct Witness;

impl Probe for Witness {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let machine = system::identity(target)?;
        let file = target.slot("file")?;
        let content = files::read(target, &file)?;
        let stat = files::stat(target, &file)?;
        let sum: u32 = content.bytes.iter().copied().map(u32::from).sum();
        let seen = Finding::ok("file", &file.literal, "read, and checked")
            .metric("sum", f64::from(sum), Unit::Count)
            .metric("size-bytes", stat.size, Unit::Bytes)
            .metric("modified", stat.modified, Unit::Seconds)
            .metric("mode", stat.mode, Unit::Count)
            .because(&content)
            .because(&stat);
        let who = [machine.hostname.as_str(), " ", machine.kernel.as_str(), " ", machine.os_title.as_str()].concat();
        Ok([Finding::ok("machine", "", who).because(&machine), seen].into_iter().collect())
    }
}

bailiwick_guest::export!(Witness);
