//! The terminal while the view has it: alternate screen, raw mode, and all that is printed meanwhile caught.
//!
//! Whatever ends the view drops the [`Terminal`], a panic's unwinding too, and the drop gives everything back: nobody is left
//! with a terminal that shows nothing of what is typed.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{dup2_stderr, dup2_stdout, pipe2};
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::style::Colored;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};

use super::text::Ink;

/// Of what was printed so much is printed again in the end; a test of hours prints less.
const KEPT: usize = 1 << 20;

/// A terminal in the view's hands.
pub struct Terminal {
    screen: ratatui::Terminal<CrosstermBackend<File>>,
    // Dropped after the screen, which shows its cursor when it is dropped.
    caught: Caught,
}

impl Terminal {
    /// Takes the terminal that standard output is.
    ///
    /// # Errors
    /// When it is none, or can't do what the view needs; everything is as it was then.
    pub fn take() -> io::Result<Self> {
        if !io::stdout().is_terminal() {
            return Err(io::Error::other("the standard output is no terminal"));
        }
        let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let mut caught = Caught::new()?;
        enable_raw_mode()?;
        caught.is_raw = true;
        execute!(caught.out, EnterAlternateScreen, Hide)?;
        caught.is_alternate = true;
        let screen = ratatui::Terminal::new(CrosstermBackend::new(out))?;
        caught.begin()?;
        // Asked of /dev/tty; without one it would be asked of the standard output, which is a pipe from now on.
        size()?;
        Ok(Self { screen, caught })
    }

    /// Draws a picture.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.screen.draw(picture).map(drop)
    }

    /// The lines that were printed since the last call.
    pub fn printed(&mut self) -> Vec<String> {
        self.caught.lines()
    }

    /// Whether the environment forbids colours.
    #[must_use]
    pub fn ink() -> Ink {
        if Colored::ansi_color_disabled() { Ink::Plain } else { Ink::Colour }
    }
}

/// Standard output and error while the view is up: a pipe, and what it held is printed again afterwards.
struct Caught {
    out: File,
    /// None when standard error is no terminal: what goes to a file goes on doing so.
    error: Option<OwnedFd>,
    reader: File,
    writer: Option<OwnedFd>,
    kept: VecDeque<u8>,
    /// The beginning of a line whose end hasn't come yet.
    begun: Vec<u8>,
    is_raw: bool,
    is_alternate: bool,
}

impl Caught {
    fn new() -> io::Result<Self> {
        let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let error = io::stderr();
        let error = error.is_terminal().then(|| error.as_fd().try_clone_to_owned()).transpose()?;
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        // Only the reading end: who prints may wait until the view has read.
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self {
            out,
            error,
            reader: File::from(reader),
            writer: Some(writer),
            kept: VecDeque::new(),
            begun: Vec::new(),
            is_raw: false,
            is_alternate: false,
        })
    }

    fn begin(&mut self) -> io::Result<()> {
        io::stdout().flush()?;
        if let Some(writer) = &self.writer {
            dup2_stdout(writer)?;
            if self.error.is_some() {
                dup2_stderr(writer)?;
            }
        }
        // The pipe ends with standard output and error.
        self.writer = None;
        Ok(())
    }

    fn lines(&mut self) -> Vec<String> {
        // Here alone: a file has a `by_ref` of both.
        use std::io::Read;
        let mut lines = Vec::new();
        let mut buffer = [0; 4096];
        // Empty: WouldBlock; nobody left to write: 0.
        while let Ok(count @ 1..) = self.reader.read(&mut buffer) {
            for byte in buffer.iter().take(count).copied() {
                self.kept.push_back(byte);
                if byte == b'\n' {
                    lines.push(String::from_utf8_lossy(&std::mem::take(&mut self.begun)).into_owned());
                } else {
                    self.begun.push(byte);
                }
            }
            let surplus = self.kept.len().saturating_sub(KEPT);
            self.kept.drain(..surplus);
        }
        lines
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        // Each step is tried: none of them can be helped if it fails.
        let _ = io::stdout().flush();
        if self.writer.is_none() {
            let _ = dup2_stdout(&self.out);
            if let Some(error) = &self.error {
                let _ = dup2_stderr(error);
            }
        }
        if self.is_alternate {
            let _ = execute!(self.out, LeaveAlternateScreen, Show);
        }
        if self.is_raw {
            let _ = disable_raw_mode();
        }
        self.lines();
        let (first, second) = self.kept.as_slices();
        let _ = self.out.write_all(first).and_then(|()| self.out.write_all(second));
        let _ = self.out.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::run;
    use crate::host::wait::{OnInterrupt, pause};
    use crate::view;
    use crate::view::screen::Style;
    use std::time::Duration;

    const CHILD: &str = "QUORATE_TEST_VIEW";

    /// The other half of the tests below, which run it on a terminal of its own. Does nothing without their word.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test reads its own environment")]
    fn child() {
        let Some(how) = std::env::var_os(CHILD) else { return };
        if how == "stage" {
            return stage();
        }
        let mut terminal = Terminal::take().expect("a terminal");
        terminal.draw(|frame| frame.render_widget("picture", frame.area())).expect("drawn");
        println!("printed meanwhile");
        eprintln!("and an error");
        // libtest's own capture is off; see below.
        assert!(terminal.printed().contains(&"printed meanwhile".to_owned()));
        assert!(how != "panic", "the view panics");
    }

    /// Two clusters whose tests tell one screen, each in a thread of its own.
    fn stage() {
        let names = ["first".to_owned(), "second".to_owned()];
        let (watchers, screen) = view::open(&names, Style::Terminal);
        println!("printed meanwhile");
        eprintln!("and an error");
        // Until it was read: the line of the cluster that isn't in focus shows what came last.
        let _ = pause(Duration::from_secs(1), OnInterrupt::GoOn);
        std::thread::scope(|scope| {
            for (mut watcher, name) in watchers.into_iter().zip(&names) {
                scope.spawn(move || watcher.say(&format!("picture-of-{name}")));
            }
        });
        // Until it has been drawn.
        let _ = pause(Duration::from_millis(1500), OnInterrupt::GoOn);
        drop(screen);
    }

    /// What the child's terminal got, and what state it is in afterwards.
    fn on_a_terminal(how: &str) -> String {
        let exe = std::env::current_exe().expect("this test");
        let child = format!(
            "stty cols 80 rows 24; {CHILD}={how} {} --exact view::terminal::tests::child --nocapture; stty -a",
            exe.display()
        );
        let words = ["script", "--quiet", "--return", "--command", child.as_str(), "/dev/null"];
        run::run(&words, None, Duration::from_secs(60)).expect("script").stdout
    }

    #[track_caller]
    fn assert_given_back(output: &str) {
        let at = |what: &str| output.find(what).unwrap_or_else(|| panic!("no {what:?} in {output:?}"));
        assert!(at("\x1b[?1049h") < at("picture"), "{output:?}");
        assert!(at("picture") < at("\x1b[?1049l"), "{output:?}");
        // Not into the picture; after it, in the order in which it was printed.
        let after = output.split("\x1b[?1049l").nth(1).unwrap_or_default();
        assert!(after.find("printed meanwhile") < after.find("and an error"), "{output:?}");
        assert!(after.contains("printed meanwhile"), "{output:?}");
        assert!(at("\x1b[?25h") > at("picture"), "the cursor is shown: {output:?}");
        for mode in ["icanon", "echo", "isig", "opost"] {
            assert!(output.split_whitespace().any(|word| word == mode), "{mode} in {output:?}");
        }
    }

    #[test]
    fn the_terminal_is_given_back_in_the_end() {
        assert_given_back(&on_a_terminal("end"));
    }

    #[test]
    fn the_terminal_is_given_back_after_a_panic() {
        let output = on_a_terminal("panic");
        assert_given_back(&output);
        let told = output.find("the view panics").expect("the panic's message");
        assert!(told > output.find("\x1b[?1049l").expect("the end of the view"), "{output:?}");
    }

    #[test]
    fn several_tests_tell_one_screen() {
        let output = on_a_terminal("stage");
        assert_given_back(&output);
        let view = output.split("\x1b[?1049l").next().unwrap_or_default();
        // The one in focus by its trace, the other one in its line; what is printed is in both.
        for told in ["picture-of-first", "picture-of-second", "meanwhile"] {
            assert!(view.contains(told), "{told} in {view:?}");
        }
    }

    #[test]
    fn what_is_no_terminal_is_left_alone() {
        // Below a terminal this test can't take it: cargo's own output is captured there, and it would flicker.
        if !io::stdout().is_terminal() {
            assert!(Terminal::take().is_err());
        }
    }
}
