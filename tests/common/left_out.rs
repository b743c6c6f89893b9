//! What an ordinary user's `cargo test` leaves out, and says so.

use std::io::Write as _;
use std::sync::Once;

/// Where this is not root: says once why this test program is left out, and ends it as passed. `tests/run.sh` counts
/// such a part as skipped before it gets here.
#[expect(
    clippy::disallowed_methods,
    reason = "a test program has no main of its own, and its harness no way to leave all tests out"
)]
pub fn without_root(program: &str, why: &str) {
    static ONCE: Once = Once::new();
    if nix::unistd::geteuid().is_root() {
        return;
    }
    // The other tests of the program wait here until it has ended.
    ONCE.call_once(|| {
        // Past the harness, which keeps what a passing test prints.
        let _ = writeln!(
            std::io::stderr(),
            "\n{program}: left out, it needs root: {why}. All of it: sudo make test"
        );
        std::process::exit(0);
    });
}
