//! What another program writes to our standard input.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

use super::clock::Deadline;
use super::host::{HostError, HostResult};

/// Reads to the end: until the other side closes it.
///
/// # Errors
/// When it is still open at the deadline, longer than `limit` bytes, or can't be read.
pub fn read(from: BorrowedFd<'_>, limit: usize, deadline: Deadline) -> HostResult<Vec<u8>> {
    let host_error = |errno: Errno| HostError::from(errno).about("standard input can't be read");
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match poll(&mut [PollFd::new(from, PollFlags::POLLIN)], deadline.poll_timeout()) {
            Ok(0) => return Err(HostError::timed_out("standard input is still open, and nothing comes")),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(host_error(errno)),
        }
        match nix::unistd::read(from, &mut buffer) {
            Ok(0) => return Ok(all),
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(host_error(errno)),
        }
        if all.len() > limit {
            return Err(HostError::unusable(format!("more than {limit} bytes on standard input")));
        }
        if deadline.passed() {
            return Err(HostError::timed_out("standard input does not end"));
        }
    }
}

/// Reads one line of at most `limit` bytes; what follows it on the same read is lost.
///
/// # Errors
/// When none comes before the deadline, or it can't be read.
pub fn line(from: BorrowedFd<'_>, limit: usize, deadline: Deadline) -> HostResult<String> {
    let host_error = |errno: Errno| HostError::from(errno).about("standard input can't be read");
    let (mut all, mut buffer) = (Vec::new(), [0; 256]);
    while !all.contains(&b'\n') && all.len() <= limit {
        match poll(&mut [PollFd::new(from, PollFlags::POLLIN)], deadline.poll_timeout()) {
            Ok(0) => return Err(HostError::timed_out("no answer came on standard input")),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(host_error(errno)),
        }
        match nix::unistd::read(from, &mut buffer) {
            Ok(0) => break,
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(host_error(errno)),
        }
    }
    let first = all.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(first).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::*;

    fn read_of(bytes: &[u8], limit: usize) -> HostResult<Vec<u8>> {
        let (from, to) = nix::unistd::pipe().unwrap();
        nix::unistd::write(&to, bytes).unwrap();
        drop(to);
        read(from.as_fd(), limit, Deadline::after(Duration::from_secs(10)))
    }

    #[test]
    fn one_line_and_not_for_ever() {
        let (from, to) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
        nix::unistd::write(&to, b" srv1\nmore\n").unwrap();
        let soon = || Deadline::after(Duration::from_millis(20));
        assert_eq!(line(from.as_fd(), 100, soon()), Ok("srv1".to_owned()));
        assert!(line(from.as_fd(), 100, soon()).unwrap_err().text.contains("no answer"));
        drop(to);
        let later = Deadline::after(Duration::from_secs(10));
        assert_eq!(line(from.as_fd(), 100, later), Ok(String::new()));
    }

    #[test]
    fn to_the_end_and_not_for_ever() {
        assert_eq!(read_of(b"a=b\n", 100), Ok(b"a=b\n".to_vec()));
        assert_eq!(read_of(b"", 100), Ok(Vec::new()));
        assert!(read_of(&[b'x'; 101], 100).unwrap_err().text.contains("100 bytes"));
        let (from, _to) = nix::unistd::pipe().unwrap();
        let open = read(from.as_fd(), 100, Deadline::after(Duration::from_millis(20)));
        assert!(open.unwrap_err().text.contains("open"));
    }
}
