//! The page on which a child says what it works on, for the parent to read when the child is gone or does not get on.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Longer inputs are not made.
pub const LONGEST: usize = 1 << 20;
const HEAD: usize = 16;

/// The child's side: memory that is the file.
pub struct Page {
    memory: &'static mut [u8],
    begun: u64,
}

impl Page {
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        file.set_len((HEAD + LONGEST) as u64)?;
        let length = HEAD + LONGEST;
        // SAFETY: a fresh mapping of a file of this length, which nobody shortens and which is never unmapped.
        let memory = unsafe {
            let flags = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
            let at = libc::mmap(std::ptr::null_mut(), length, flags.0, flags.1, file.as_raw_fd(), 0);
            if at == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            std::slice::from_raw_parts_mut(at.cast::<u8>(), length)
        };
        Ok(Self { memory, begun: 0 })
    }

    /// This input is next.
    pub fn begin(&mut self, input: &[u8]) {
        self.begun += 1;
        self.memory[8..16].copy_from_slice(&(input.len() as u64).to_ne_bytes());
        self.memory[HEAD..HEAD + input.len()].copy_from_slice(input);
        self.memory[..8].copy_from_slice(&self.begun.to_ne_bytes());
    }
}

/// The parent's side: how many inputs were begun, and the last one.
pub fn read(path: &Path) -> io::Result<(u64, Vec<u8>)> {
    let file = File::open(path)?;
    let mut head = [0; HEAD];
    file.read_exact_at(&mut head, 0)?;
    let number = |at: usize| u64::from_ne_bytes(std::array::from_fn(|i| head[at + i]));
    let mut input = vec![0; usize::try_from(number(8)).unwrap_or(0).min(LONGEST)];
    file.read_exact_at(&mut input, HEAD as u64)?;
    Ok((number(0), input))
}
