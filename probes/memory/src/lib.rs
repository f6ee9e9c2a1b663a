//! Memory still available, and swap in use.

use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, percent_of, system, text};

struct Memory;

impl Probe for Memory {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let warn_available = params.number("warn-available-percent")?;
        let critical_available = params.number("critical-available-percent")?;
        let warn_swap = params.number("warn-swap-percent")?;
        let critical_swap = params.number("critical-swap-percent")?;

        let memory = system::memory(target)?;

        let available = match percent_of(memory.available, memory.total) {
            Some(percent) => Finding::new(
                Severity::falling(percent, warn_available, critical_available),
                "memory",
                "",
                format!(
                    "{} of memory is available ({} of {})",
                    text::percent(percent),
                    text::bytes(memory.available),
                    text::bytes(memory.total),
                ),
            )
            .metric("available-percent", percent, Unit::Percent)
            .metric("available-bytes", memory.available, Unit::Bytes)
            .metric("total-bytes", memory.total, Unit::Bytes),
            None => Finding::unknown("memory", "", "the target reports no memory"),
        };

        let used = memory.swap_total.saturating_sub(memory.swap_free);
        let swap = match percent_of(used, memory.swap_total) {
            Some(percent) => Finding::new(
                Severity::rising(percent, warn_swap, critical_swap),
                "swap",
                "",
                format!(
                    "{} of swap is used ({} of {})",
                    text::percent(percent),
                    text::bytes(used),
                    text::bytes(memory.swap_total),
                ),
            )
            .metric("used-percent", percent, Unit::Percent),
            None => Finding::ok("swap", "", "no swap is set up"),
        }
        .metric("used-bytes", used, Unit::Bytes)
        .metric("total-bytes", memory.swap_total, Unit::Bytes);

        Ok([available, swap].map(|finding| finding.because(&memory)).into_iter().collect())
    }
}

bailiwick_guest::export!(Memory);
