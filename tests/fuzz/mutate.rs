//! Changes of an input: of bytes, of lines, of words, of numbers.

/// SplitMix64: small, and the same for a seed everywhere.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`, and 0 where that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound.max(1) as u64)).unwrap_or(0)
    }

    pub fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}

/// Numbers at which something overflows, or that are none.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1",
    "00",
    "127",
    "255",
    "256",
    "32768",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999",
    "1e9",
    "0x10",
    "FFFFFFFF",
    "+1",
    "1.5",
    "NaN",
    "",
];
/// What means something to one parser or another, or breaks text.
const BYTES: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"\t",
    b" ",
    b"\0",
    b"'",
    b"\"",
    b"\\",
    b"''",
    b"\\'",
    b"{",
    b"}",
    b"[",
    b"]",
    b"<",
    b">",
    b"&",
    b"&lt;",
    b"&#0;",
    b"&#x110000;",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"=",
    b":",
    b",",
    b";",
    b"#",
    b"/",
    b"..",
    b"$(x)",
    b"`x`",
    b"%s",
    b"\xff",
    b"\xc3\x28",
    "\u{2028}".as_bytes(),
    "\u{0130}".as_bytes(),
    "\u{feff}".as_bytes(),
    b"\x1b[2J",
];

/// A changed copy of `input`. `others`: the corpus; `words`: the target's own; no longer than `limit`.
pub fn change(
    input: &[u8],
    others: &[Vec<u8>],
    words: &[&str],
    limit: usize,
    chance: &mut Chance,
) -> Vec<u8> {
    let mut out = input.to_vec();
    // Mostly one or two changes, now and then many.
    let rounds = 1 + chance.below(2) + if chance.below(8) == 0 { chance.below(16) } else { 0 };
    for _ in 0..rounds {
        once(&mut out, others, words, chance);
        out.truncate(limit);
    }
    out
}

fn once(out: &mut Vec<u8>, others: &[Vec<u8>], words: &[&str], chance: &mut Chance) {
    let at = chance.below(out.len() + 1);
    match chance.below(14) {
        0 => {
            if let Some(byte) = out.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        1 => {
            if let Some(byte) = out.get_mut(at) {
                *byte = (chance.next() & 0xff) as u8;
            }
        }
        2 => {
            let end = (at + 1 + chance.below(16)).min(out.len());
            out.drain(at.min(end)..end);
        }
        3 => {
            let end = (at + 1 + chance.below(64)).min(out.len());
            let piece = out[at.min(end)..end].to_vec();
            insert(out, chance, &piece);
        }
        4 | 5 => {
            let piece = chance.of(BYTES).map_or(&b""[..], |bytes| bytes);
            out.splice(at..at, piece.iter().copied());
        }
        6 | 7 => {
            let piece = chance.of(words).copied().unwrap_or("0");
            out.splice(at..at, piece.bytes());
        }
        8 | 9 => number(out, chance),
        10 => line(out, chance),
        11 => {
            // The head of this one, the tail of another.
            if let Some(other) = chance.of(others) {
                out.truncate(at);
                out.extend_from_slice(&other[chance.below(other.len())..]);
            }
        }
        12 => word(out, words, chance),
        _ => {
            let times = 1 << chance.below(9);
            let end = (at + 1 + chance.below(8)).min(out.len());
            let piece = out[at.min(end)..end].repeat(times);
            out.splice(at..at, piece);
        }
    }
}

fn insert(out: &mut Vec<u8>, chance: &mut Chance, piece: &[u8]) {
    let at = chance.below(out.len() + 1);
    out.splice(at..at, piece.iter().copied());
}

/// Replaces a run of bytes of one kind around a place by chance.
fn replace(out: &mut Vec<u8>, chance: &mut Chance, is_part: impl Fn(&u8) -> bool, with: &[u8]) {
    let at = chance.below(out.len());
    let Some(begin) = out.iter().skip(at).position(&is_part).map(|skip| at + skip) else { return };
    let length = out[begin..].iter().take_while(|byte| is_part(byte)).count();
    out.splice(begin..begin + length, with.iter().copied());
}

fn number(out: &mut Vec<u8>, chance: &mut Chance) {
    let with = chance.of(NUMBERS).copied().unwrap_or("0");
    replace(out, chance, u8::is_ascii_digit, with.as_bytes());
}

fn word(out: &mut Vec<u8>, words: &[&str], chance: &mut Chance) {
    let with = chance.of(words).copied().unwrap_or("x");
    replace(out, chance, |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'), with.as_bytes());
}

/// A line away, twice, or in another place.
fn line(out: &mut Vec<u8>, chance: &mut Chance) {
    let mut lines: Vec<Vec<u8>> = out.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return;
    }
    let (from, to) = (chance.below(lines.len()), chance.below(lines.len()));
    match chance.below(3) {
        0 => drop(lines.remove(from)),
        1 => {
            let copy = lines[from].clone();
            lines.insert(to, copy);
        }
        _ => lines.swap(from, to),
    }
    *out = lines.concat();
}

/// Inputs as long as the reader takes, made of this one: the cost of a parser must not grow with the square of a file.
pub fn grown(input: &[u8], limit: usize) -> Vec<Vec<u8>> {
    if input.is_empty() {
        return Vec::new();
    }
    let fill = |head: &[u8], piece: &[u8], tail: &[u8]| -> Vec<u8> {
        let times = limit.saturating_sub(head.len() + tail.len()) / piece.len().max(1);
        [head, &piece.repeat(times), tail].concat()
    };
    let lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
    let mut all =
        vec![fill(b"", input, b""), fill(&input[..input.len() / 2], b"x", &input[input.len() / 2..])];
    // A line in the middle of its file, again and again; a few of a long file.
    for index in (0..lines.len()).step_by(lines.len().div_ceil(12).max(1)) {
        all.push(fill(&lines[..index].concat(), lines[index], &lines[index + 1..].concat()));
    }
    all
}
