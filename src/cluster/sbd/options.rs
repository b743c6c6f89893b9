//! `SBD_OPTS`: what sbd's command line says. sbd reads it after its environment (sbd-inquisitor.c): what it says there counts.

/// An option's letter and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub letter: char,
    /// Empty for one that takes none.
    pub value: String,
}

/// The options as sbd takes them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    given: Vec<Given>,
    /// What sbd refuses: it does not start.
    pub faults: Vec<String>,
}

/// Those without a value.
const ALONE: &str = "czDPRTWZhv";
/// Those with one.
const WITH_VALUE: &str = "Cwdnp12345tIFSsr";
/// Those whose value is a number.
const NUMBERS: &str = "SC12345tIF";

impl Options {
    /// Reads them as systemd splits them and getopt takes them: letters may share a word, and a value may follow its letter at
    /// once or in the next word.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut options = Self::default();
        let Some(words) = words(text) else {
            options.faults.push("a quote is not closed".to_owned());
            return options;
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let Some(letters) = word.strip_prefix('-').filter(|l| !l.is_empty()) else {
                if word != "watch" {
                    options.faults.push(format!("{word:?} is no option"));
                }
                continue;
            };
            let mut rest = letters.chars();
            while let Some(letter) = rest.next() {
                if ALONE.contains(letter) {
                    options.given.push(Given { letter, value: String::new() });
                } else if WITH_VALUE.contains(letter) {
                    let attached = rest.as_str();
                    let value = if attached.is_empty() { words.next() } else { Some(attached.to_owned()) };
                    options.valued(letter, value);
                    break;
                } else {
                    options.faults.push(format!("-{letter} is no option of sbd's"));
                }
            }
        }
        if options.has('h') {
            options.faults.push("-h prints its help and ends".to_owned());
        }
        options
    }

    fn valued(&mut self, letter: char, value: Option<String>) {
        let value = value.map(|v| v.trim_start().to_owned()).filter(|v| !v.is_empty());
        match value {
            None => self.faults.push(format!("-{letter} has no value")),
            Some(value) if NUMBERS.contains(letter) && number(&value).is_none() => {
                self.faults.push(format!("the value of -{letter}, {value:?}, is no number"));
            }
            Some(value) => self.given.push(Given { letter, value }),
        }
    }

    /// Whether it is there.
    #[must_use]
    pub fn has(&self, letter: char) -> bool {
        self.count(letter) > 0
    }

    /// How often it is there: of -W, -P and -c once turns on, twice off.
    #[must_use]
    pub fn count(&self, letter: char) -> usize {
        self.given.iter().filter(|g| g.letter == letter).count()
    }

    /// The value that counts: the last one.
    #[must_use]
    pub fn value(&self, letter: char) -> Option<&str> {
        self.given.iter().rev().find(|g| g.letter == letter).map(|g| g.value.as_str())
    }

    /// The same where it is a number.
    #[must_use]
    pub fn number(&self, letter: char) -> Option<u32> {
        self.value(letter).and_then(number)
    }

    /// The variables that they stand for: a letter, a name, and the value as the variable would have it.
    pub(super) fn variables(&self) -> Vec<(char, &'static str, String)> {
        let switch = |letter| {
            let count = self.count(letter);
            (count > 0).then(|| if count % 2 == 1 { "yes" } else { "no" }.to_owned())
        };
        let number = |letter| self.number(letter).map(|n| n.to_string());
        let text = |letter| self.value(letter).map(str::to_owned);
        let devices: Vec<&str> =
            self.given.iter().filter(|g| g.letter == 'd').map(|g| g.value.as_str()).collect();
        let all = [
            ('1', "SBD_WATCHDOG_TIMEOUT", number('1')),
            ('w', "SBD_WATCHDOG_DEV", text('w')),
            ('W', "SBD_WATCHDOG", switch('W')),
            ('P', "SBD_PACEMAKER", switch('P')),
            ('r', "SBD_TIMEOUT_ACTION", text('r')),
            ('d', "SBD_DEVICE", (!devices.is_empty()).then(|| devices.join(";"))),
        ];
        all.into_iter().filter_map(|(letter, name, value)| Some((letter, name, value?))).collect()
    }
}

/// As strtol takes it, and sbd uses it: a whole number below 2^31.
fn number(text: &str) -> Option<u32> {
    text.trim_start().parse::<i32>().ok().filter(|n| *n < i32::MAX).and_then(|n| u32::try_from(n).ok())
}

/// A value's words as systemd splits them, the quotes taken away; `None`: one is not closed.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match (quote, sign) {
            (Some(open), sign) if sign == open => quote = None,
            // systemctl's own quotes: $'…'.
            (None, '$') if word.is_none() && signs.peek() == Some(&'\'') => {}
            (None, '"' | '\'') => {
                quote = Some(sign);
                word.get_or_insert_default();
            }
            (None, sign) if sign.is_whitespace() => found.extend(word.take()),
            (_, '\\') => word.get_or_insert_default().extend(signs.next()),
            (_, sign) => word.get_or_insert_default().push(sign),
        }
    }
    found.extend(word);
    quote.is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> Vec<(char, String)> {
        let options = Options::parse(text);
        assert_eq!(options.faults, [""; 0], "{text}");
        options.given.into_iter().map(|g| (g.letter, g.value)).collect()
    }

    #[test]
    fn values_stand_beside_or_behind() {
        let one = |letter, value: &str| vec![(letter, value.to_owned())];
        for text in ["-1 60", "-160", "-1  60", "\"-1\" '60'", "'-160'", "-1 ' 60'", "-1 \"6\"0"] {
            assert_eq!(Options::parse(text).number('1'), Some(60), "{text}");
        }
        assert_eq!(taken("-vw/dev/x"), [('v', String::new()), ('w', "/dev/x".to_owned())]);
        assert_eq!(taken("-n 'a b'"), one('n', "a b"));
        assert_eq!(taken("-WW -W").len(), 3);
        assert_eq!(Options::parse("-1 5 -1 60").number('1'), Some(60));
        assert_eq!(taken(""), []);
    }

    #[test]
    fn what_sbd_refuses_is_a_fault() {
        for text in ["-x", "--help", "-1", "-1 x", "-1 -5", "-1 5s", "watchdog", "-w ''", "-v '", "-h", "-"] {
            assert!(!Options::parse(text).faults.is_empty(), "{text}");
        }
    }

    #[test]
    fn what_systemctl_shows_is_split_as_well() {
        let all = words("A=yes \"SBD_OPTS=-1 60\" $'B=c d' E=").expect("closed");
        assert_eq!(all, ["A=yes", "SBD_OPTS=-1 60", "B=c d", "E="]);
    }
}
