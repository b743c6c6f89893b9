//! `quorate doctor --fix`: prints the commands that mend what was found, and types them where it may.

use crate::boundary::{printable, setup};
use crate::decide::doctor::Report;
use crate::decide::doctor::fix::{Fix, fixes, typed};

/// Prints what is to be typed, and what takes a person. Gives what is to be typed.
pub(super) fn print(report: &Report) -> Vec<Fix> {
    let (fixes, by_hand) = fixes(report);
    for fix in &fixes {
        println!("# {}: {}", fix.rule, printable::line(&fix.what));
        for command in &fix.commands {
            println!("{}", printable::line(&typed(command)));
        }
    }
    if fixes.is_empty() {
        println!("# nothing that a command of pcs mends while the service runs");
    }
    for hand in &by_hand {
        println!("# by hand, {}: {}", hand.rule, printable::line(&hand.what));
        println!("#   {}", printable::line(&hand.cure));
    }
    fixes
}

/// Types them, one after the other.
///
/// # Errors
/// The first that pcs refuses; nothing is typed after it.
pub(super) fn apply(fixes: &[Fix]) -> Result<(), String> {
    for command in fixes.iter().flat_map(|fix| &fix.commands) {
        println!("+ {}", printable::line(&typed(command)));
        let args = command.get(1..).unwrap_or_default();
        setup::type_pcs(args).map_err(|e| format!("{e}; nothing was typed after it"))?;
    }
    Ok(())
}
