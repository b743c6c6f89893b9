//! A table of every combination of facts, as short as it can be.

use std::fmt::Write as _;

/// The names of the values of a fact.
pub type Column = Vec<&'static str>;

/// Rows of cells: values of a column whose outcomes are equal, whatever stands behind them, share a row.
fn rows(
    columns: &[Column],
    chosen: &mut Vec<usize>,
    outcome: &dyn Fn(&[usize]) -> String,
) -> Vec<Vec<String>> {
    let Some(column) = columns.get(chosen.len()) else {
        return vec![vec![outcome(chosen)]];
    };
    let mut groups: Vec<(Vec<&str>, Vec<Vec<String>>)> = Vec::new();
    for (index, name) in column.iter().enumerate() {
        chosen.push(index);
        let below = rows(columns, chosen, outcome);
        chosen.pop();
        match groups.iter_mut().find(|(_, b)| *b == below) {
            Some((names, _)) => names.push(name),
            None => groups.push((vec![name], below)),
        }
    }
    // What most values share stands last, as the rest.
    let most = groups.iter().position(|(names, _)| is_the_rest(names.len(), column.len()));
    let rest = most.map(|at| groups.remove(at));
    let cell = |names: &[&str]| if names.len() == column.len() { "any".to_owned() } else { names.join("; ") };
    let mut parts: Vec<(String, Vec<Vec<String>>)> =
        groups.into_iter().map(|(names, below)| (cell(&names), below)).collect();
    parts.extend(rest.map(|(_, below)| ("any other".to_owned(), below)));
    let row = |cell: String, row: Vec<String>| [vec![cell], row].concat();
    parts.into_iter().flat_map(|(cell, below)| below.into_iter().map(move |b| row(cell.clone(), b))).collect()
}

/// Whether so many values are named by what they are not.
const fn is_the_rest(values: usize, of: usize) -> bool {
    values > 2 && values < of && values * 2 > of
}

/// All combinations, decided by the indices of the values.
pub fn table(heads: &[&str], columns: &[Column], outcome: &dyn Fn(&[usize]) -> String) -> String {
    let mut table = format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for row in rows(columns, &mut Vec::new(), outcome) {
        let _ = writeln!(table, "| {} |", row.join(" | "));
    }
    table
}
