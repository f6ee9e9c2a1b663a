//! Finds ids that look like another id. Attack answered: `postgres-heaIth` beside `postgres-health` (LK18).
//!
//! Ids are ASCII by grammar, so that no other script can imitate one. What remains is an added, missing or swapped letter,
//! hyphens, and letters that look like digits.

/// Shorter ids are not compared by edits: nearly all of them are one edit apart.
const LENGTH_MIN: usize = 4;

/// The first of `others` that `id` looks like.
pub fn resembles<'a>(id: &str, mut others: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let shape = shape(id);
    others.find(|other| {
        *other != id
            && (self::shape(other) == shape || (id.len().max(other.len()) >= LENGTH_MIN && is_one_edit(id, other)))
    })
}

/// An id with look-alike characters replaced, as a quick reader sees it.
fn shape(id: &str) -> String {
    let mut shape: String = id
        .chars()
        .filter(|c| *c != '-')
        .map(|c| match c {
            '1' | 'i' | 'j' => 'l',
            '0' => 'o',
            '5' => 's',
            '2' => 'z',
            '8' => 'b',
            c => c,
        })
        .collect();
    for (two, one) in [("rn", "m"), ("vv", "w"), ("cl", "d")] {
        shape = shape.replace(two, one);
    }
    shape
}

/// True if one character was added, removed or replaced, or two neighbours were swapped.
fn is_one_edit(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let front = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (a.get(front..).unwrap_or_default(), b.get(front..).unwrap_or_default());
    let back = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (a.get(..a.len() - back).unwrap_or_default(), b.get(..b.len() - back).unwrap_or_default());
    match (a, b) {
        ([x, y], [p, q]) => x == q && y == p,
        _ => a.len() <= 1 && b.len() <= 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lk18_names_that_look_alike() {
        for (id, other) in [
            ("postgres-hea1th", "postgres-health"),
            ("postgreshealth", "postgres-health"),
            ("postgres-healht", "postgres-health"),
            ("postgres-heaith", "postgres-health"),
            ("filesystem", "filesystems"),
            ("mernory", "memory"),
            ("up-time", "uptime"),
            ("l0ad", "load"),
        ] {
            assert_eq!(resembles(id, [other].into_iter()), Some(other), "{id}");
            assert_eq!(resembles(other, [id].into_iter()), Some(id), "{other}");
        }
        for (id, other) in [("load", "load"), ("load", "disk"), ("a", "b"), ("postgres-health", "postgres-backup")] {
            assert_eq!(resembles(id, [other].into_iter()), None, "{id}");
        }
    }

    proptest! {
        #[test]
        fn lk18_any_single_edit_is_seen(id in "[a-z0-9][a-z0-9-]{4,20}", at in any::<prop::sample::Index>(), c in "[a-z0-9]", how in 0..3) {
            let mut other = id.clone();
            let at = at.index(other.len());
            match how {
                0 => other.insert_str(at, &c),
                1 => drop(other.remove(at)),
                _ => other.replace_range(at..=at, &c),
            }
            let seen = resembles(&other, [id.as_str()].into_iter());
            prop_assert_eq!(seen.is_some(), other != id);
        }
    }
}
