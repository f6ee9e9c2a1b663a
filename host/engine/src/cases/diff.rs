//! Compares two texts line by line.
//!
//! Knows: lines. Must not know: where they come from. The caller encodes them before it prints them.

/// Texts with more lines than this are shown one after the other: a table of all pairs would be too large.
const LINES_MAX: usize = 1_500;

/// Each line with `-` (only in `expected`), `+` (only in `found`) or a space (in both) in front.
#[must_use]
pub fn diff<'t>(expected: &'t str, found: &'t str) -> Vec<(char, &'t str)> {
    let (a, b): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let minus = |line| ('-', line);
    let plus = |line| ('+', line);
    if a.len() > LINES_MAX || b.len() > LINES_MAX {
        return a.into_iter().map(minus).chain(b.into_iter().map(plus)).collect();
    }
    // common[i][j]: lines that a from i and b from j have in common, in order.
    let width = b.len() + 1;
    let mut common = vec![0_u16; (a.len() + 1) * width];
    let at = |common: &[u16], i: usize, j: usize| common.get(i * width + j).copied().unwrap_or(0);
    for (i, one) in a.iter().enumerate().rev() {
        for (j, other) in b.iter().enumerate().rev() {
            let best = if one == other {
                at(&common, i + 1, j + 1) + 1
            } else {
                at(&common, i + 1, j).max(at(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    loop {
        match (a.get(i), b.get(j)) {
            (Some(one), Some(other)) if one == other => {
                out.push((' ', *one));
                (i, j) = (i + 1, j + 1);
            }
            (Some(one), other) if other.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) => {
                out.push(minus(*one));
                i += 1;
            }
            (_, Some(other)) => {
                out.push(plus(*other));
                j += 1;
            }
            _ => return out,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn changed_lines_stand_beside_one_another() {
        let shown: String =
            diff("a\nb\nc\n", "a\nx\nc\nd\n").iter().map(|(mark, line)| format!("{mark}{line} ")).collect();
        assert_eq!(shown, " a -b +x  c +d ");
    }

    proptest! {
        #[test]
        fn both_texts_are_in_it(a in "([abc]\n){0,8}", b in "([abc]\n){0,8}") {
            let all = diff(&a, &b);
            let without = |mark: char| -> String {
                all.iter().filter(|(sign, _)| *sign != mark).map(|(_, line)| format!("{line}\n")).collect()
            };
            prop_assert_eq!(without('+'), a.as_str());
            prop_assert_eq!(without('-'), b.as_str());
        }
    }
}
