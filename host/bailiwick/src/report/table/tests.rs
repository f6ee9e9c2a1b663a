//! Goldens at common widths, and the rules that no text may break.

use super::*;
use crate::report::samples;
use bailiwick_core::encode;
use bailiwick_core::model::{Severity, TargetName};

fn page(sweep: &Sweep, width: usize, detail: Detail) -> String {
    render(sweep, &Options { width, colour: Colour::Never, detail })
}

#[test]
fn one_healthy_machine() {
    insta::assert_snapshot!(page(&samples::one_healthy(), 80, Detail::Brief));
}

#[test]
fn one_healthy_machine_each_finding() {
    insta::assert_snapshot!(page(&samples::one_healthy(), 80, Detail::Each));
}

#[test]
fn one_healthy_machine_in_full() {
    insta::assert_snapshot!(page(&samples::one_healthy(), 80, Detail::Full));
}

#[test]
fn a_night_at_80() {
    insta::assert_snapshot!(page(&samples::night(), 80, Detail::Brief));
}

#[test]
fn a_night_at_120() {
    insta::assert_snapshot!(page(&samples::night(), 120, Detail::Brief));
}

#[test]
fn a_night_at_60() {
    insta::assert_snapshot!(page(&samples::night(), 20, Detail::Brief));
}

#[test]
fn a_night_in_full() {
    let mut sweep = samples::night();
    sweep.targets.retain(|checked| ["alp01", "app03", "db01", "db03", "web02"].contains(&checked.target.as_str()));
    insta::assert_snapshot!(page(&sweep, 100, Detail::Full));
}

#[test]
fn hostile_text() {
    insta::assert_snapshot!(page(&samples::hostile(), 80, Detail::Brief));
}

#[test]
fn hostile_text_in_full() {
    insta::assert_snapshot!(page(&samples::hostile(), 80, Detail::Full));
}

#[test]
fn long_names() {
    let mut sweep = samples::night();
    for target in &mut sweep.targets {
        target.target = TargetName::new(&format!("{}.rack-17.frankfurt.example.net", target.target)).unwrap();
    }
    insta::assert_snapshot!(page(&sweep, 80, Detail::Brief));
}

#[test]
fn nothing_was_asked_for() {
    assert_eq!(page(&samples::sweep(vec![]), 80, Detail::Brief), "0 targets - 2.1 s\n");
    assert_eq!(page(&samples::sweep(vec![]), usize::MAX, Detail::Brief), "0 targets - 2.1 s\n");
}

#[test]
fn nothing_ran_or_nothing_applies() {
    let na =
        samples::could_not_check("failed-units", "no systemd", Some(bailiwick_core::model::VerbError::Unsupported));
    let sweep = samples::sweep(vec![samples::checked("a", vec![]), samples::checked("b", vec![na])]);
    insta::assert_snapshot!(page(&sweep, 80, Detail::Brief), @r"
    unchecked  a  nothing ran: policy grants no component here

    n/a        b  1 probe, none of which applies here

    2 targets: 1 could not be checked, 1 without a probe that applies - 2.1 s
    ");
}

#[test]
fn colour_is_the_hosts_alone_and_changes_nothing_else() {
    for sweep in [samples::night(), samples::hostile()] {
        let plain = page(&sweep, 80, Detail::Full);
        let options = Options { colour: Colour::Always, detail: Detail::Full, ..Options::default() };
        let coloured = render(&sweep, &options);
        let mut stripped = String::new();
        for (index, part) in coloured.split('\x1b').enumerate() {
            let rest = if index == 0 { part } else { part.split_once('m').unwrap().1 };
            stripped.push_str(rest);
        }
        assert_eq!(stripped, plain);
        assert!(coloured.starts_with("\x1b[1;31mcritical\x1b[0m "), "{coloured:?}");
    }
}

/// With any text of guests, every line fits the page, is harmless, and begins with one of the host's words or with spaces.
#[test]
fn tx07_no_line_is_begun_by_a_guest() {
    const WORDS: &[&str] = &[
        "critical",
        "unreachable",
        "refused",
        "fault",
        "unchecked",
        "warning",
        "unknown",
        "ok",
        "n/a",
        "run",
        "other ok",
    ];
    for sweep in [samples::night(), samples::hostile(), samples::one_healthy()] {
        for width in 60..200 {
            for detail in [Detail::Brief, Detail::Full] {
                let text = page(&sweep, width, detail);
                let (body, summary) = text.rsplit_once("\n\n").unwrap();
                assert!(summary.starts_with(|c: char| c.is_ascii_digit()), "{summary}");
                for line in text.lines() {
                    assert!(encode::width(line) <= width, "{width}: {line}");
                    assert!(!line.chars().any(char::is_control), "{line:?}");
                    assert!(!line.ends_with(' '), "{line:?}");
                }
                for line in body.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')) {
                    let begun =
                        WORDS.iter().any(|word| line.strip_prefix(word).is_some_and(|rest| rest.starts_with("  ")));
                    assert!(begun, "{width}: {line}");
                }
            }
        }
    }
}

/// On every line a guest's text is right of the columns of word, target and component.
#[test]
fn tx07_guest_text_stays_in_its_column() {
    let text = format!("{} Z ZZ {}", "Z".repeat(70), "ZZZ ".repeat(20));
    let run = samples::report("c1", vec![samples::finding(bailiwick_core::model::Severity::Critical, "Z/Z", &text)]);
    let blind = samples::could_not_check("c2", &text, None);
    let sweep = samples::sweep(vec![samples::checked("t1", vec![run, blind])]);
    for width in 60..200 {
        let page = page(&sweep, width, Detail::Full);
        let left = page.lines().filter_map(|line| line.find('Z')).min();
        assert_eq!(left, Some("unchecked  t1  c1  ".len()), "{width}\n{page}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_leaves_the_page_intact(subject in ".*", title in "[\\PC\\pC]*", reason in "\\PC*", width in 0_usize..200) {
        let run = samples::report("c1", vec![samples::finding(bailiwick_core::model::Severity::Warning, &subject, &title)]);
        let sweep = samples::sweep(vec![samples::checked("t1", vec![run, samples::could_not_check("c2", &reason, None)])]);
        let page = page(&sweep, width, Detail::Brief);
        assert!(page.starts_with("unchecked  t1  c2  "));
        assert!(page.ends_with("check - 2.1 s\n"), "{page}");
        assert_eq!(page.lines().filter(|line| line.starts_with(|c| c != ' ')).count(), 3);
        for line in page.lines() {
            assert!(encode::width(line) <= width.max(WIDTH_MIN));
            assert!(!line.chars().any(char::is_control));
        }
    }
}

#[test]
fn a_run_on_several_targets_is_told_once_and_counts_on_each() {
    let ahead = samples::finding(Severity::Warning, "db01", "db01: the clock is 3.2 s ahead");
    let unknown = samples::finding(Severity::Unknown, "db02", "db02: system.load: no connection to the target");
    let sweep = samples::several(vec![ahead, unknown]);
    for detail in [Detail::Brief, Detail::Full] {
        insta::assert_snapshot!(render(&sweep, &Options { width: 100, detail, ..Options::default() }));
    }
    insta::assert_snapshot!(crate::report::json::render(&sweep).unwrap());
    let healthy = samples::several(vec![samples::finding(Severity::Ok, "db01", "db01: in step")]);
    insta::assert_snapshot!(render(&healthy, &Options::default()));
}
