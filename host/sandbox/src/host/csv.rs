//! CSV as `psql --csv` writes it, with a tab between fields.
//!
//! Knows: its quoting. Must not know: what a column means. Attack answered: a value that ends its field, its record or the
//! answer (TG05). Text that `psql` would not write is garbled: a quote in the middle of a plain field, text after a closing
//! quote, a bare carriage return, a NUL, a last record without its end.

use bailiwick_core::model::VerbError;

use VerbError::Garbled;

/// The text that `psql` prints for null. CSV cannot distinguish it from the same text in quotes, and `psql` quotes neither: a
/// text that is exactly this is read as null too.
pub(super) const NULL: &str = "\u{2400}";

/// One line of the table.
pub(super) type Record = Vec<Option<String>>;

/// All records, including the header. A record of one empty field is an empty line, as `psql` writes it.
///
/// # Errors
/// `garbled` when it is not a sequence of whole records.
pub(super) fn records(text: &str) -> Result<Vec<Record>, VerbError> {
    if text.contains('\0') {
        return Err(Garbled);
    }
    let mut records = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut record = Record::new();
        loop {
            let (field, after) = field(rest)?;
            record.push(field);
            match after.split_at_checked(1) {
                Some(("\t", after)) => rest = after,
                Some(("\n", after)) => {
                    rest = after;
                    break;
                }
                _ => return Err(Garbled),
            }
        }
        records.push(record);
    }
    Ok(records)
}

/// One field, and what follows it.
fn field(text: &str) -> Result<(Option<String>, &str), VerbError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(['\t', '\n']).ok_or(Garbled)?;
        let (field, after) = text.split_at(end);
        if field.contains(['"', '\r']) {
            return Err(Garbled);
        }
        return Ok(((field != NULL).then(|| field.to_owned()), after));
    };
    let mut value = String::new();
    let mut rest = quoted;
    loop {
        let (piece, after) = rest.split_once('"').ok_or(Garbled)?;
        value.push_str(piece);
        match after.strip_prefix('"') {
            Some(after) => {
                value.push('"');
                rest = after;
            }
            None => return Ok((Some(value), after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<Vec<Option<String>>> {
        records(text).unwrap()
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn what_psql_writes() {
        assert_eq!(
            read("a\tb\n1\t\u{2400}\n\"x\t\"\"y\"\t\"two\nlines\"\n\t\n"),
            [
                vec![some("a"), some("b")],
                vec![some("1"), None],
                vec![some("x\t\"y"), some("two\nlines")],
                vec![some(""), some("")],
            ]
        );
        assert_eq!(read("\n"), [vec![some("")]]);
        assert_eq!(read("\"\u{2400}\"\n"), [vec![some("\u{2400}")]], "not what psql writes, and not null");
        assert!(read("").is_empty());
    }

    #[test]
    fn what_psql_does_not_write() {
        for bad in
            ["a", "a\tb", "\"a", "\"a\"b\n", "a\"b\n", "a\rb\n", "a\r\n", "\"a\"\"\n", "a\0\n", "\"a\"\t\"b\"", "\""]
        {
            assert_eq!(records(bad), Err(Garbled), "{bad:?}");
        }
    }

    /// As `psql` does it (fe_utils/print.c).
    fn written(record: &Record) -> String {
        let fields = record.iter().map(|field| match field.as_deref() {
            None => NULL.to_owned(),
            Some(text) if text.contains(['"', '\t', '\n', '\r']) || text == "\\." => {
                format!("\"{}\"", text.replace('"', "\"\""))
            }
            Some(text) => text.to_owned(),
        });
        fields.collect::<Vec<_>>().join("\t") + "\n"
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            table in prop::collection::vec(prop::collection::vec(prop::option::of("[a\"\t\n\r\\\\.é -]{0,6}"), 1..5), 0..5)
        ) {
            let text: String = table.iter().map(written).collect();
            prop_assert_eq!(records(&text).unwrap(), table.clone());
            // A text that is cut at any place is garbled, or has whole records of the same table.
            for cut in 0..text.len() {
                if let Some(Ok(part)) = text.get(..cut).map(records) {
                    prop_assert!(table.starts_with(&part));
                }
            }
        }
    }
}
