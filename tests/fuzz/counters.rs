//! The compiler's coverage counters of this very process (`-C instrument-coverage`), read and cleared after each input.
//!
//! Without them, in a plain `cargo test`, every question is answered with nothing.

/// What one input reached: counters, each with how often in classes (once, twice, a few, many).
pub struct Map {
    best: Vec<u8>,
}

/// Counters are looked at in blocks: most are untouched by any one input.
const BLOCK: usize = 32;

impl Map {
    pub fn new() -> Self {
        Self { best: vec![0; all().len()] }
    }

    /// Clears what ran so far.
    pub fn clear() {
        all().fill(0);
    }

    /// Takes up what ran since the last call, and clears it; whether anything was new.
    pub fn take(&mut self) -> bool {
        let mut is_new = false;
        for (block, best) in all().chunks_mut(BLOCK).zip(self.best.chunks_mut(BLOCK)) {
            if *block == [0; BLOCK][..block.len()] {
                continue;
            }
            for (count, best) in block.iter_mut().zip(best) {
                let class = match *count {
                    0 => continue,
                    1 => 1,
                    2 => 2,
                    3..=8 => 4,
                    9..=64 => 8,
                    _ => 16,
                };
                is_new |= *best & class == 0;
                *best |= class;
                *count = 0;
            }
        }
        is_new
    }

    /// How many counters of these modules were ever reached, and how many there are. A module is named as in Rust,
    /// `cluster::cib`. `None`: this compiler lays its records out in another way.
    pub fn reached(&self, modules: &[&str]) -> Option<(usize, usize)> {
        let functions = functions()?;
        let paths: Vec<String> = modules
            .iter()
            .map(|module| {
                let words = std::iter::once("quorate").chain(module.split("::"));
                words.map(|word| format!("{}{word}", word.len())).collect()
            })
            .collect();
        let (mut reached, mut there) = (0, 0);
        for (name, range) in functions {
            if paths.iter().any(|path| name.contains(path)) {
                there += range.len();
                reached += self.best[range].iter().filter(|best| **best != 0).count();
            }
        }
        (there > 0).then_some((reached, there))
    }
}

#[cfg(not(guided))]
fn all() -> &'static mut [u64] {
    &mut []
}

#[cfg(not(guided))]
fn functions() -> Option<Vec<(String, std::ops::Range<usize>)>> {
    None
}

#[cfg(guided)]
use with::{all, functions};

#[cfg(guided)]
mod with {
    use std::collections::BTreeMap;
    use std::ops::Range;

    use md5::{Digest, Md5};

    // compiler-rt's lib/profile: where the sections that the compiler fills begin and end.
    unsafe extern "C" {
        fn __llvm_profile_begin_counters() -> *mut u64;
        fn __llvm_profile_end_counters() -> *mut u64;
        fn __llvm_profile_begin_data() -> *const Record;
        fn __llvm_profile_end_data() -> *const Record;
        fn __llvm_profile_begin_names() -> *const u8;
        fn __llvm_profile_end_names() -> *const u8;
    }

    /// A function's record (`__llvm_profile_data` in InstrProfData.inc of LLVM 15 to 22, 64 bits).
    #[repr(C)]
    struct Record {
        name: u64,
        hash: u64,
        /// From this record's own address.
        counters: i64,
        bitmap: i64,
        function: usize,
        values: usize,
        count: u32,
        sites: [u16; 3],
        other: u16,
        bitmap_bytes: u32,
    }

    pub fn all() -> &'static mut [u64] {
        // SAFETY: the two ends of one section of 64-bit counters, which live as long as the process. A child has one thread, so
        // that nothing counts while this is borrowed but this function's own callers, whose counts nobody reads.
        unsafe {
            let (begin, end) = (__llvm_profile_begin_counters(), __llvm_profile_end_counters());
            std::slice::from_raw_parts_mut(begin, end.offset_from_unsigned(begin))
        }
    }

    /// The functions by name, each with its counters. `None` where the sections do not have the form that is described here.
    pub fn functions() -> Option<Vec<(String, Range<usize>)>> {
        // SAFETY: the ends of two sections that live as long as the process; what the records say is checked below.
        let (records, names) = unsafe {
            let begin = __llvm_profile_begin_data();
            let bytes = __llvm_profile_end_data().byte_offset_from(begin).unsigned_abs();
            if bytes % size_of::<Record>() != 0 {
                return None;
            }
            let names = __llvm_profile_begin_names();
            let length = __llvm_profile_end_names().offset_from_unsigned(names);
            (
                std::slice::from_raw_parts(begin, bytes / size_of::<Record>()),
                std::slice::from_raw_parts(names, length),
            )
        };
        let names = read_names(names)?;
        let first = all().as_ptr().addr();
        let mut functions = Vec::new();
        let mut sum = 0;
        for record in records {
            let at =
                std::ptr::from_ref(record).addr().wrapping_add_signed(isize::try_from(record.counters).ok()?);
            let (from, count) = (at.checked_sub(first)? / 8, record.count as usize);
            if from + count > all().len() {
                return None;
            }
            sum += count;
            if let Some(name) = names.get(&record.name) {
                functions.push((name.clone(), from..from + count));
            }
        }
        (sum == all().len()).then_some(functions)
    }

    /// Names by their hash. The section is a row of pieces, one for each unit of the compiler: two lengths in LEB128 (the second is 0
    /// for what is not compressed, as `tests/fuzz/instrument` demands), the names with a byte 1 between them, and padding.
    fn read_names(mut section: &[u8]) -> Option<BTreeMap<u64, String>> {
        let mut names = BTreeMap::new();
        while let Some(begin) = section.iter().position(|byte| *byte != 0) {
            section = &section[begin..];
            let (length, compressed) = (leb128(&mut section)?, leb128(&mut section)?);
            if compressed != 0 || length > section.len() {
                return None;
            }
            let (piece, rest) = section.split_at(length);
            section = rest;
            for name in piece.split(|byte| *byte == 1) {
                let hash = Md5::digest(name);
                let hash = u64::from_le_bytes(hash.as_slice()[..8].try_into().ok()?);
                names.insert(hash, String::from_utf8_lossy(name).into_owned());
            }
        }
        Some(names)
    }

    fn leb128(section: &mut &[u8]) -> Option<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let (byte, rest) = section.split_first()?;
            *section = rest;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}
