//! Finds the names that a mistyped name may mean, for the hint of an error.
//!
//! Knows: texts. Must not know: what they name.

/// Names that a hint offers at most.
const NAMES_MAX: usize = 3;

/// Names that a hint lists at most.
const LIST_MAX: usize = 12;

/// The least similarity, from 0 to 1, of a name that is offered.
const SIMILARITY: f64 = 0.8;

/// The known names that resemble `name`, the nearest first.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut similar: Vec<(f64, &str)> = known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(similarity, _)| *similarity >= SIMILARITY)
        .collect();
    similar.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    similar.truncate(NAMES_MAX);
    similar.into_iter().map(|(_, known)| known).collect()
}

/// ``did you mean `memory`? ``, or nothing: what comes before the next step in a hint.
#[must_use]
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let similar: Vec<_> = nearest(name, known).into_iter().map(|name| format!("`{name}`")).collect();
    match similar.as_slice() {
        [] => String::new(),
        [one] => format!("did you mean {one}? "),
        [others @ .., last] => format!("did you mean {} or {last}? ", others.join(", ")),
    }
}

/// What an unknown name may mean, and which names there are: `the slots are: unit`, `there are no slots`. `what` is a plural.
#[must_use]
pub fn choices<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, what: &str) -> String {
    let known: Vec<_> = known.into_iter().collect();
    let all = match known.len().checked_sub(LIST_MAX).filter(|more| *more > 0) {
        _ if known.is_empty() => format!("there are no {what}"),
        None => format!("the {what} are: {}", known.join(", ")),
        Some(more) => {
            format!("the {what} are: {} and {more} more", known.get(..LIST_MAX).unwrap_or_default().join(", "))
        }
    };
    did_you_mean(name, known) + &all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_near_and_another_word_is_not() {
        let known = ["memory", "memory-pressure", "load", "uptime", "leftover-file"];
        assert_eq!(did_you_mean("memroy", known), "did you mean `memory` or `memory-pressure`? ");
        assert_eq!(did_you_mean("leftoverfile", known), "did you mean `leftover-file`? ");
        assert_eq!(did_you_mean("postgres", known), "");
        assert_eq!(did_you_mean("", known), "");
        assert_eq!(choices("x", ["a", "b"], "slots"), "the slots are: a, b");
        assert_eq!(choices("x", [], "slots"), "there are no slots");
        let many: Vec<String> = (0..20).map(|number| format!("name-{number}")).collect();
        assert!(choices("x", many.iter().map(String::as_str), "slots").ends_with("name-11 and 8 more"));
        assert_eq!(nearest("load1", ["load3", "load2", "load4", "load"]), ["load", "load2", "load3"]);
    }
}
