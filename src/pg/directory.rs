//! Which data directory a server works in, by its configuration and its options.

use super::conf::Setting;

/// The setting that decides: PostgreSQL takes the last one.
pub const NAME: &str = "data_directory";

/// The line of a configuration that names the data directory; without one it is that of the option `-D`.
#[must_use]
pub fn named(settings: &[Setting]) -> Option<&Setting> {
    settings.iter().rev().find(|setting| setting.name == NAME)
}

/// The first of a server's options that names a data directory.
#[must_use]
pub fn option(options: &[String]) -> Option<&str> {
    let sets = |text: &str| {
        let name = text.split_once('=').map_or(text, |(name, _)| name);
        name.replace('-', "_").eq_ignore_ascii_case(NAME)
    };
    let mut words = options.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let found = match word.as_bytes() {
            b"-c" => words.next().filter(|setting| sets(setting)),
            [b'-', b'c', ..] => Some(word).filter(|_| sets(&word[2..])),
            [b'-', b'-', ..] => Some(word).filter(|_| sets(&word[2..])),
            [b'-', b'D', ..] => Some(word),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts() {
        let setting = |name: &str, value: &str, line| Setting {
            name: name.to_owned(),
            value: value.to_owned(),
            file: "p".to_owned(),
            line: Some(line),
        };
        let settings =
            [setting("data_directory", "/a", 1), setting("data_directory", "/b", 2), setting("port", "1", 3)];
        assert_eq!(named(&settings).map(|s| s.value.as_str()), Some("/b"));
        assert_eq!(named(&settings[2..]), None);
    }

    #[test]
    fn options_that_name_a_directory() {
        let option = |text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            super::option(&words).map(str::to_owned)
        };
        for text in [
            "-D /x",
            "-D/x",
            "-c data_directory=/x",
            "-cdata_directory=/x",
            "--data_directory=/x",
            "--data-directory=/x",
        ] {
            assert!(option(text).is_some(), "{text}");
            assert!(option(&format!("-c port=1 {text}")).is_some(), "{text}");
        }
        for text in ["", "-c port=1", "-p 5433", "--port=1", "-c hba_file=/x", "-c"] {
            assert_eq!(option(text), None, "{text}");
        }
    }
}
