//! Generated tables, no wider than a screen.

/// The widest row of a table that is still read.
const WIDTH: usize = 160;

fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// Puts the long cells of a table that is too wide below it, numbered: `[1]`.
pub fn narrow(table: &str) -> String {
    if table.lines().all(|line| line.chars().count() <= WIDTH) {
        return table.to_owned();
    }
    let mut notes: Vec<String> = Vec::new();
    let mut out = String::new();
    for (number, line) in table.lines().enumerate() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        // The heading and the line below it; what is no table.
        if !line.starts_with('|') || number < 2 || line.starts_with("|-") {
            out.push_str(line);
        } else {
            let mut cells: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
            // The longest one goes below, until the row fits.
            while row(&cells).chars().count() > WIDTH {
                let Some(longest) = cells.iter_mut().max_by_key(|cell| cell.chars().count()) else { break };
                let at = notes.iter().position(|note| note == longest).unwrap_or_else(|| {
                    notes.push(longest.clone());
                    notes.len() - 1
                });
                // What it comes to stays in the table.
                let head = longest.split([':', ';']).next().unwrap_or_default().trim();
                let head = if head.chars().count() < 40 && head != longest { head } else { "see" };
                *longest = format!("{head} [{}]", at + 1);
            }
            out.push_str(&row(&cells));
        }
        out.push('\n');
    }
    out.push('\n');
    for (number, note) in (1..).zip(&notes) {
        let mut width = 0;
        let mut first = true;
        for word in format!("{number}. {note}").split(' ') {
            if width + word.chars().count() + 1 > 108 {
                out.push_str("\n  ");
                width = 2;
            }
            if !first {
                out.push(' ');
            }
            first = false;
            out.push_str(word);
            width += word.chars().count() + 1;
        }
        out.push('\n');
    }
    out
}
