//! Finds `rule_files` in prometheus.yml. It is not a YAML parser: it knows the two usual forms of this list, and reports any
//! other form instead of guessing.

/// Whether a configuration names the rule file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Include {
    /// It names the file.
    There,
    /// It does not; the whole configuration with one more line.
    Add(String),
    /// It has a form that a program should not edit.
    Strange,
}

/// Searches for `rules` in the `rule_files` of `yaml`, the content of the file `config`.
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
        // There is no list: add one at the end.
        let end = if yaml.is_empty() || yaml.ends_with('\n') { "" } else { "\n" };
        return Include::Add([yaml, end, "rule_files:\n  - \"", rules, "\"\n"].concat());
    };
    if !without_comment(rest).is_empty() {
        return Include::Strange;
    }
    // An unindented key ends the list; items may be unindented too.
    let after: Vec<_> = lines.collect();
    let mut indent = None;
    for line in &after {
        let content = without_comment(line);
        if content.is_empty() {
            continue;
        }
        let Some(item) = content.trim_start().strip_prefix("- ") else {
            if content.starts_with(' ') {
                return Include::Strange;
            }
            break;
        };
        indent.get_or_insert(content.len() - content.trim_start().len());
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

/// Whether an entry, which may be relative and contain one `*`, matches the file.
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

    fn included(yaml: &str) -> Include {
        include(yaml, "/etc/prometheus/prometheus.yml", RULES)
    }

    #[test]
    fn lists_that_name_it() {
        for entry in
            ["base-rules.yml", "/etc/prometheus/base-rules.yml", "*.yml", "'base-*.yml'", "\"*-rules.yml\" # ours"]
        {
            assert_eq!(
                included(&format!("global:\nrule_files:\n  - other.yml\n\n  - {entry}\n")),
                Include::There,
                "{entry}"
            );
            assert_eq!(included(&format!("rule_files:\n- {entry}\nscrape_configs:\n")), Include::There, "{entry}");
        }
    }

    #[test]
    fn only_one_line_is_added() {
        let debian = "rule_files:\n  # - \"first_rules.yml\"\n\n# more\nscrape_configs:\n  - job_name: x\n";
        let added = "rule_files:\n  - \"/etc/prometheus/base-rules.yml\"\n  # - \"first_rules.yml\"\n\n# more\nscrape_configs:\n  - job_name: x\n";
        assert_eq!(included(debian), Include::Add(added.to_owned()));
        let margin = "rule_files:\n- rules/*.yml\n";
        assert_eq!(
            included(margin),
            Include::Add("rule_files:\n- \"/etc/prometheus/base-rules.yml\"\n- rules/*.yml\n".to_owned())
        );
        assert_eq!(
            included("a: 1"),
            Include::Add("a: 1\nrule_files:\n  - \"/etc/prometheus/base-rules.yml\"\n".to_owned())
        );
        assert_eq!(
            included("rule_files:"),
            Include::Add("rule_files:\n  - \"/etc/prometheus/base-rules.yml\"\n".to_owned())
        );
    }

    #[test]
    fn forms_that_a_program_must_not_edit() {
        for yaml in [
            "rule_files: []\n",
            "rule_files: [a.yml]\n",
            "rule_files: &x\n",
            "rule_files:\n  a: b\n",
            "rule_files:\nx: 1\nrule_files:\n",
        ] {
            assert_eq!(included(yaml), Include::Strange, "{yaml}");
        }
        // A name below another key is not the list.
        assert!(matches!(included("x:\n  rule_files:\n    - base-rules.yml\n"), Include::Add(_)));
    }
}
