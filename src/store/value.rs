//! Values for the markers of a statement, and lists of rows of them.

/// A value for a marker.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
}

macro_rules! value_from {
    ($($from:ty, $value:ident => $made:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self { $made }
        })*
    };
}

value_from! {
    &str, v => Self::Text(Some(v.to_owned()));
    String, v => Self::Text(Some(v));
    &String, v => Self::Text(Some(v.clone()));
    Option<String>, v => Self::Text(v);
    Option<&str>, v => Self::Text(v.map(str::to_owned));
    i64, v => Self::Int(Some(v));
    Option<i64>, v => Self::Int(v);
    bool, v => Self::Int(Some(i64::from(v)));
    u32, v => Self::Int(Some(i64::from(v)));
    chrono::DateTime<chrono::Utc>, v => Self::Int(Some(v.timestamp_millis()));
    Option<chrono::DateTime<chrono::Utc>>, v => Self::Int(v.map(|at| at.timestamp_millis()));
    crate::types::Bucket, v => Self::Int(Some(i64::from(v.number())));
    crate::types::SubscriberId, v => Self::Text(Some(v.to_string()));
    crate::types::MailingId, v => Self::Text(Some(v.to_string()));
    crate::types::NodeId, v => Self::Text(Some(v.to_string()));
    &crate::types::NewsletterId, v => Self::Text(Some(v.as_str().to_owned()));
    &crate::types::CadenceId, v => Self::Text(Some(v.as_str().to_owned()));
    &crate::types::IssueId, v => Self::Text(Some(v.as_str().to_owned()));
}

/// The values of a statement, in the order of their markers.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::sql::Value::from($value)),*] };
}
pub(super) use args;

/// `($5,$6),($7,$8)`: the rows of a VALUES list whose markers start after `before` others.
pub(super) fn markers(before: usize, columns: usize, rows: usize) -> String {
    let row = |row: usize| {
        let column = |column: usize| format!("${}", before + row * columns + column + 1);
        format!("({})", (0..columns).map(column).collect::<Vec<_>>().join(","))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(",")
}

/// Splits rows into groups of a few sizes, filled up by repeating the last row, so that a statement that inserts many rows has
/// few spellings and stays prepared. Only for statements that ignore a row which stands already.
pub(super) fn padded(rows: &[Vec<Value>]) -> Vec<(usize, Vec<Value>)> {
    const SIZES: [usize; 5] = [1, 4, 16, 64, 256];
    let group = |group: &[Vec<Value>]| {
        let size = SIZES.into_iter().find(|size| *size >= group.len()).unwrap_or(group.len());
        let fill = group.iter().chain(group.last().into_iter().cycle()).take(size);
        (size, fill.flatten().cloned().collect())
    };
    rows.chunks(SIZES[4]).map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_padded_with_repeats_to_few_sizes() {
        assert_eq!(markers(2, 2, 2), "($3,$4),($5,$6)");
        let rows: Vec<_> = (0..261).map(|i| args![i64::from(i)]).collect();
        let groups = padded(&rows);
        assert_eq!(
            groups.iter().map(|(size, values)| (*size, values.len())).collect::<Vec<_>>(),
            [(256, 256), (16, 16)]
        );
        assert!(matches!(groups[1].1.last(), Some(Value::Int(Some(260)))));
        assert!(padded(&[]).is_empty());
    }
}
