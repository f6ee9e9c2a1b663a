//! Expressions and lines of a `[[check]]`, by any author.

use bailiwick_core::manifest;
use bailiwick_core::rules::{Check, Operator, Part, STEPS_MAX, Step, Steps};
use bailiwick_core::source::{Problems, Source};

/// A manifest with the text in every place that takes one.
fn around(text: &str) -> String {
    // As JSON writes it, every text is a basic string of TOML too, but for one character.
    let text = serde_json::to_string(text).expect("a text").replace('\u{7f}', "\\u007f");
    format!(
        "[component]\nid = \"x\"\nversion = \"1.0.0\"\nworld = \"bailiwick:ops/probe@0.1.0\"\ntitle = \"x\"\n\
         [[use]]\nverb = [\"system.filesystems\"]\nwhy = \"x\"\n[param.text]\ndefault = \"x\"\nabout = \"x\"\n\
         [param.texts]\ndefault = [\"x\"]\nabout = \"x\"\n[param.number]\ndefault = 1\nabout = \"x\"\n\
         [[check]]\ncode = \"x\"\nover = \"system.filesystems\"\ntitle = {text}\ncritical = {text}\nwhere = {text}\n\
         let.own = {text}\nmetric.m = {{ value = {text}, unit = \"count\" }}\n\
         none = {{ severity = \"ok\", title = {text} }}\n"
    )
}

/// However it is written, it is read or refused with its place; what is read cannot fail when it is run.
pub(crate) fn expression(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Each place by itself, so that one mistake does not hide what the others make of it.
    for key in ["title", "critical", "where", "let.own", "metric.m", "none"] {
        let whole = around("1");
        let bent = around(text);
        let lines = whole.lines().zip(bent.lines()).map(|(usual, bent)| {
            let this = bent.starts_with(&format!("{key} = "));
            if this {
                bent.to_owned()
            } else {
                usual.replace("critical = \"1\"", "critical = \"1 > 0\"").replace("where = \"1\"", "where = \"true\"")
            }
        });
        let source = Source::embedded("manifest.toml", &lines.collect::<Vec<_>>().join("\n"));
        match manifest::parse(&source) {
            Ok(manifest) => manifest.rules.expect("its check").checks.iter().for_each(runs),
            Err(Problems(found)) => {
                assert!(!found.is_empty(), "refused without a word");
                for problem in &found {
                    assert!(problem.place.is_some() && !problem.render(false).is_empty());
                }
            }
        }
    }
}

fn runs(check: &Check) {
    let lines = [&check.title, &check.fine, &check.subject, &check.place];
    let verdicts = check.nothing.iter().map(|verdict| &verdict.title);
    for part in lines.into_iter().chain(verdicts).flatten() {
        if let Part::Value(steps, _) = part {
            holds(steps);
        }
    }
    check.definitions.iter().chain(&check.filter).chain(&check.critical).chain(&check.warning).for_each(holds);
    check.measures.iter().for_each(|measure| holds(&measure.value));
}

/// Every operator finds its operands, and one value is left.
fn holds(steps: &Steps) {
    use Operator::{Known, Length, Magnitude, Negate, Not, Parse};
    assert!(steps.len() <= STEPS_MAX);
    let mut height = 0_usize;
    for step in steps {
        let takes = match step {
            Step::Apply(Negate | Not | Known | Length | Parse | Magnitude) => 1,
            Step::Apply(_) => 2,
            _ => 0,
        };
        height = height.checked_sub(takes).expect("an operator without operands") + 1;
    }
    assert_eq!(height, 1, "{steps:?}");
}
