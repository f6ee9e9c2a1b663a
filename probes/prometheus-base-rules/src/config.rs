//! Where prometheus.yml names its rules. Not a YAML reader: it knows the two ways in which people write this list, and says so of
//! every other one instead of guessing.

/// Whether a configuration names a file of rules.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Include {
    /// It does.
    There,
    /// It does not; the whole of it with one line more.
    Add(String),
    /// Nobody should edit this by program.
    Strange,
}

/// Looks for `rules` among the `rule_files` of `yaml`, which is the file `config`.
pub(crate) fn include(yaml: &str, config: &str, rules: &str) -> Include {
    let folder = config.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut before = Vec::new();
    let mut lines = yaml.split_inclusive('\n');
    let head = loop {
        let Some(line) = lines.next() else { break None };
        before.push(line);
        if let Some(rest) = line.strip_prefix("rule_files:") {
            break Some(rest);
        }
    };
    let Some(rest) = head else {
        // No list at all: one of its own, at the end.
        let end = if yaml.is_empty() || yaml.ends_with('\n') { "" } else { "\n" };
        return Include::Add([yaml, end, "rule_files:\n  - \"", rules, "\"\n"].concat());
    };
    if !without_comment(rest).is_empty() {
        return Include::Strange;
    }
    // A key at the margin ends the list; items may stand there too.
    let after: Vec<_> = lines.collect();
    let mut indent = None;
    for line in &after {
        let said = without_comment(line);
        if said.is_empty() {
            continue;
        }
        let Some(item) = said.trim_start().strip_prefix("- ") else {
            if said.starts_with(' ') {
                return Include::Strange;
            }
            break;
        };
        indent.get_or_insert(said.len() - said.trim_start().len());
        if names(item.trim().trim_matches(['"', '\'']), folder, rules) {
            return Include::There;
        }
    }
    if after.iter().any(|line| line.starts_with("rule_files:")) {
        return Include::Strange;
    }
    let item = [&" ".repeat(indent.unwrap_or(2)), "- \"", rules, "\"\n"].concat();
    let end = if before.last().is_some_and(|line| line.ends_with('\n')) { "" } else { "\n" };
    Include::Add([before.concat(), end.to_owned(), item, after.concat()].concat())
}

/// A `#` begins a comment at the start of a line or after a space.
fn without_comment(line: &str) -> &str {
    let line = line.trim_end();
    let comment = if line.starts_with('#') { Some(0) } else { line.find(" #") };
    comment.and_then(|at| line.get(..at)).unwrap_or(line).trim_end()
}

/// Whether an entry, which may be relative and end in `*.yml` or the like, is the file.
fn names(entry: &str, folder: &str, rules: &str) -> bool {
    let full = if entry.starts_with('/') { entry.to_owned() } else { [folder, "/", entry].concat() };
    match full.split_once('*') {
        None => full == rules,
        Some((start, end)) => {
            let middle = rules.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
            middle.is_some_and(|middle| !middle.contains('/')) && !end.contains('*')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "/etc/prometheus/base-rules.yml";

    fn of(yaml: &str) -> Include {
        include(yaml, "/etc/prometheus/prometheus.yml", RULES)
    }

    #[test]
    fn lists_that_name_it() {
        for entry in
            ["base-rules.yml", "/etc/prometheus/base-rules.yml", "*.yml", "'base-*.yml'", "\"*-rules.yml\" # ours"]
        {
            assert_eq!(of(&format!("global:\nrule_files:\n  - other.yml\n\n  - {entry}\n")), Include::There, "{entry}");
            assert_eq!(of(&format!("rule_files:\n- {entry}\nscrape_configs:\n")), Include::There, "{entry}");
        }
    }

    #[test]
    fn one_line_more_and_nothing_else() {
        let debian = "rule_files:\n  # - \"first_rules.yml\"\n\n# more\nscrape_configs:\n  - job_name: x\n";
        let added = "rule_files:\n  - \"/etc/prometheus/base-rules.yml\"\n  # - \"first_rules.yml\"\n\n# more\nscrape_configs:\n  - job_name: x\n";
        assert_eq!(of(debian), Include::Add(added.to_owned()));
        let margin = "rule_files:\n- rules/*.yml\n";
        assert_eq!(
            of(margin),
            Include::Add("rule_files:\n- \"/etc/prometheus/base-rules.yml\"\n- rules/*.yml\n".to_owned())
        );
        assert_eq!(of("a: 1"), Include::Add("a: 1\nrule_files:\n  - \"/etc/prometheus/base-rules.yml\"\n".to_owned()));
        assert_eq!(of("rule_files:"), Include::Add("rule_files:\n  - \"/etc/prometheus/base-rules.yml\"\n".to_owned()));
    }

    #[test]
    fn what_is_not_for_a_program() {
        for yaml in [
            "rule_files: []\n",
            "rule_files: [a.yml]\n",
            "rule_files: &x\n",
            "rule_files:\n  a: b\n",
            "rule_files:\nx: 1\nrule_files:\n",
        ] {
            assert_eq!(of(yaml), Include::Strange, "{yaml}");
        }
        // A name below another key is not the list.
        assert!(matches!(of("x:\n  rule_files:\n    - base-rules.yml\n"), Include::Add(_)));
    }
}
