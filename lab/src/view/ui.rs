//! What the keys do: which cluster is in focus, how far the trace is scrolled back, whether help is shown.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// The keys, for the help and the page of the documentation.
pub const KEYS: [(&str, &str); 5] = [
    ("q, Ctrl-C", "stop: what is broken is healed first"),
    ("Tab, 1 to 9", "another cluster"),
    ("Up, Down", "scroll the trace by a line"),
    ("PgUp, PgDn", "scroll it by ten lines; End: the newest"),
    ("?", "this help"),
];

/// Lines of a page.
const PAGE: usize = 10;

/// The state of the view itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ui {
    /// The cluster in focus.
    pub focus: usize,
    /// How many lines of the trace below the last one shown there are.
    pub scroll: usize,
    /// Whether the help is shown.
    pub help: bool,
    /// Whether the end was asked for.
    pub stopping: bool,
}

impl Ui {
    /// Takes in a key; there are so many columns.
    pub fn press(&mut self, key: KeyEvent, columns: usize) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        // Any key leaves the help, and does what it does all the same.
        let help = std::mem::take(&mut self.help);
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => self.stopping = true,
            KeyCode::Char('q') => self.stopping = true,
            KeyCode::Char('?' | 'h') => self.help = !help,
            KeyCode::Tab => self.look_at((self.focus + 1) % columns.max(1)),
            KeyCode::BackTab => self.look_at((self.focus + columns.max(1) - 1) % columns.max(1)),
            KeyCode::Char(digit @ '1'..='9') => {
                let index = digit as usize - '1' as usize;
                if index < columns {
                    self.look_at(index);
                }
            }
            KeyCode::Up => self.scroll += 1,
            KeyCode::Down => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageUp => self.scroll += PAGE,
            KeyCode::PageDown => self.scroll = self.scroll.saturating_sub(PAGE),
            KeyCode::End => self.scroll = 0,
            _ => {}
        }
    }

    fn look_at(&mut self, index: usize) {
        self.focus = index;
        self.scroll = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(keys: &[KeyCode]) -> Ui {
        let mut ui = Ui::default();
        for key in keys {
            ui.press(KeyEvent::new(*key, KeyModifiers::NONE), 4);
        }
        ui
    }

    #[test]
    fn the_focus_goes_round() {
        assert_eq!(after(&[KeyCode::Tab; 3]).focus, 3);
        assert_eq!(after(&[KeyCode::Tab; 4]).focus, 0);
        assert_eq!(after(&[KeyCode::BackTab]).focus, 3);
        assert_eq!(after(&[KeyCode::Char('3')]).focus, 2);
        assert_eq!(after(&[KeyCode::Char('3'), KeyCode::Char('5')]).focus, 2, "there are four");
    }

    #[test]
    fn the_trace_is_scrolled_and_another_cluster_begins_at_its_end() {
        assert_eq!(after(&[KeyCode::PageUp, KeyCode::Up, KeyCode::Down]).scroll, 10);
        assert_eq!(after(&[KeyCode::Up, KeyCode::PageDown]).scroll, 0);
        assert_eq!(after(&[KeyCode::Up, KeyCode::Tab]).scroll, 0);
        assert_eq!(after(&[KeyCode::PageUp, KeyCode::End]).scroll, 0);
    }

    #[test]
    fn q_and_control_c_stop() {
        assert!(after(&[KeyCode::Char('q')]).stopping);
        assert!(!after(&[KeyCode::Char('c')]).stopping);
        let mut ui = Ui::default();
        ui.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL), 1);
        assert!(ui.stopping);
    }

    #[test]
    fn help_comes_and_goes() {
        assert!(after(&[KeyCode::Char('?')]).help);
        assert!(!after(&[KeyCode::Char('?'), KeyCode::Char('?')]).help);
        assert!(!after(&[KeyCode::Char('?'), KeyCode::Tab]).help);
    }
}
