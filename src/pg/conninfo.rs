//! libpq's connection strings, keyword/value form: `host=/run/pg port=5432 password='it''s'`… as in primary_conninfo.

use std::borrow::Cow;
use std::fmt;

/// A parsed connection string: keywords in their order, each once.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Conninfo(Vec<(String, String)>);

/// Text that libpq would refuse too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConninfoError {
    /// `keyword` without `=value`.
    #[error(
        "missing \"=\" after \"{0}\" in the connection string: write keyword=value pairs, with values that hold blanks in single quotes"
    )]
    MissingEquals(String),
    /// `'…` to the end.
    #[error("the value of {0} in the connection string has an opening quote and no closing one")]
    UnterminatedQuote(String),
    /// The same in what follows a password: the word may be a part of it.
    #[error(
        "what follows {0} in the connection string is no keyword=value; a password with blanks or quotes stands in single quotes, with \\' for a quote in it"
    )]
    AfterSecret(String),
    /// `postgresql://…`.
    #[error("the connection string is a URI; write it as keyword=value pairs")]
    Uri,
}

impl Conninfo {
    /// Parses by the rules of libpq's `conninfo_parse`: blanks around `=`, single-quoted values, backslash escapes in both kinds of
    /// value. Of a repeated keyword the last counts.
    ///
    /// # Errors
    /// What libpq refuses; URIs. No error text holds a value, which may be a password.
    pub fn parse(text: &str) -> Result<Self, ConninfoError> {
        // Blanks before it too: they are not printed, and what is printed must not be another thing.
        let text = text.trim_start_matches(is_space);
        if text.starts_with("postgresql://") || text.starts_with("postgres://") {
            return Err(ConninfoError::Uri);
        }
        let mut info = Self::default();
        let mut rest = text.trim_start_matches(is_space);
        while !rest.is_empty() {
            let end = rest.find(|c| c == '=' || is_space(c)).unwrap_or(rest.len());
            let (keyword, after) = rest.split_at(end);
            let value = after.trim_start_matches(is_space).strip_prefix('=');
            let secret = info.iter().map(|(key, _)| key).find(|key| is_secret(key)).map(str::to_owned);
            let hidden = |error| secret.map_or(error, ConninfoError::AfterSecret);
            let Some(value) = value else {
                return Err(hidden(ConninfoError::MissingEquals(keyword.to_owned())));
            };
            let (value, after) = match parse_value(keyword, value.trim_start_matches(is_space)) {
                Ok(parsed) => parsed,
                Err(error) => return Err(hidden(error)),
            };
            info.set(keyword, &value);
            rest = after.trim_start_matches(is_space);
        }
        Ok(info)
    }

    /// The value of a keyword.
    pub fn get(&self, keyword: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == keyword).map(|(_, value)| value.as_str())
    }

    /// Sets a keyword, in its old place if it has one.
    pub fn set(&mut self, keyword: &str, value: &str) {
        match self.0.iter_mut().find(|(key, _)| key == keyword) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((keyword.to_owned(), value.to_owned())),
        }
    }

    /// [`Self::set`] for a chain.
    #[must_use]
    pub fn with(mut self, keyword: &str, value: &str) -> Self {
        self.set(keyword, value);
        self
    }

    /// Removes a keyword.
    pub fn remove(&mut self, keyword: &str) {
        self.0.retain(|(key, _)| key != keyword);
    }

    /// Keywords and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// Whether a keyword's value is nobody's business: password, sslpassword, oauth_client_secret.
pub(crate) fn is_secret(keyword: &str) -> bool {
    SECRETS.iter().any(|word| keyword.ends_with(word))
}

/// How the keywords of secrets end.
const SECRETS: [&str; 2] = ["password", "secret"];

/// Text that holds a connection string, perhaps a broken one, for a message: it ends where the first secret begins. What stands behind a
/// secret may be a part of it, when its quotes are wrong; in a URI the password stands before the host.
#[must_use]
pub fn masked(text: &str) -> Cow<'_, str> {
    // The same length: ASCII letters alone are changed.
    let lower = text.to_ascii_lowercase();
    let after_keyword = |word: &str| {
        lower.match_indices(word).find_map(|(at, _)| {
            let rest = &lower[at + word.len()..];
            let value = rest.trim_start_matches(is_space).strip_prefix('=')?;
            Some(lower.len() - value.len())
        })
    };
    let in_uri = lower.find("://").map(|at| at + 3).and_then(|begin| {
        let authority = &lower[begin..];
        let colon = authority.find(':')?;
        authority[colon..].contains('@').then_some(begin + colon + 1)
    });
    let first = SECRETS.iter().filter_map(|word| after_keyword(word)).chain(in_uri).min();
    match first {
        Some(at) => Cow::Owned(format!("{}***", &text[..at])),
        None => Cow::Borrowed(text),
    }
}

/// isspace() of the C locale.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// Splits a value off the front of `text`.
fn parse_value<'a>(keyword: &str, text: &'a str) -> Result<(String, &'a str), ConninfoError> {
    let quoted = text.strip_prefix('\'');
    let body = quoted.unwrap_or(text);
    let mut value = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            // A backslash at the very end of an unquoted value is dropped, as libpq does.
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if quoted.is_some() => return Ok((value, &body[at + 1..])),
            c if quoted.is_none() && is_space(c) => return Ok((value, &body[at..])),
            c => value.push(c),
        }
    }
    if quoted.is_some() { Err(ConninfoError::UnterminatedQuote(keyword.to_owned())) } else { Ok((value, "")) }
}

/// The string that libpq reads back as the same pairs.
impl fmt::Display for Conninfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (keyword, value)) in self.iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            let plain = !value.is_empty() && !value.contains(|c| is_space(c) || c == '\'' || c == '\\');
            if plain {
                write!(f, "{gap}{keyword}={value}")?;
            } else {
                write!(f, "{gap}{keyword}='{}'", value.replace('\\', r"\\").replace('\'', r"\'"))?;
            }
        }
        Ok(())
    }
}

/// Without the password, so that it may be logged.
impl fmt::Debug for Conninfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.clone();
        for (_, value) in shown.0.iter_mut().filter(|(key, _)| is_secret(key)) {
            "***".clone_into(value);
        }
        fmt::Display::fmt(&shown, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, key: &str) -> Option<String> {
        Conninfo::parse(text).expect("valid").get(key).map(str::to_owned)
    }

    #[test]
    fn reads_what_pg_basebackup_writes() {
        // After the outer level of quotes of postgresql.auto.conf.
        let text = "user=postgres passfile='/var/lib/postgresql/.pgpass' channel_binding=prefer host='/run/pg' port=5601 sslmode=prefer";
        assert_eq!(value(text, "passfile").as_deref(), Some("/var/lib/postgresql/.pgpass"));
        assert_eq!(value(text, "host").as_deref(), Some("/run/pg"));
        assert_eq!(value(text, "hos"), None);
    }

    #[test]
    fn blanks_quotes_and_escapes() {
        assert_eq!(value(" a = b\tc='x y' ", "c").as_deref(), Some("x y"));
        assert_eq!(value(r"p='it\'s \\ me'q=1", "p").as_deref(), Some(r"it's \ me"));
        assert_eq!(value(r"p=a\ b q=1", "p").as_deref(), Some("a b"));
        assert_eq!(value("p= q=1", "p").as_deref(), Some("q=1"));
        assert_eq!(value("p=''", "p").as_deref(), Some(""));
        assert_eq!(value("a=1 a=2", "a").as_deref(), Some("2"));
        assert_eq!(value("a=é", "a").as_deref(), Some("é"));
        assert_eq!(value("", "a"), None);
    }

    #[test]
    fn refusals() {
        assert_eq!(Conninfo::parse("host localhost"), Err(ConninfoError::MissingEquals("host".into())));
        assert_eq!(Conninfo::parse("host"), Err(ConninfoError::MissingEquals("host".into())));
        assert_eq!(Conninfo::parse("a='b"), Err(ConninfoError::UnterminatedQuote("a".into())));
        assert_eq!(Conninfo::parse("postgresql://h/db"), Err(ConninfoError::Uri));
        assert_eq!(
            Conninfo::parse("\tpostgres://="),
            Err(ConninfoError::Uri),
            "printed without the blank it would be one"
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut info = Conninfo::parse("user=replicator port=5432 host=old").expect("valid");
        info.set("host", "srv2");
        info.set("application_name", "srv1");
        assert_eq!(info.to_string(), "user=replicator port=5432 host=srv2 application_name=srv1");
        for odd in ["", " ", "it's", r"c:\x", "a=b", "é\t'\\"] {
            let info = Conninfo::default().with("k", odd).with("l", "1");
            assert_eq!(Conninfo::parse(&info.to_string()), Ok(info), "{odd:?}");
        }
        info.remove("port");
        assert_eq!(info.get("port"), None);
    }

    #[test]
    fn no_message_holds_a_secret() {
        for (text, shown) in [
            ("user=u port=1", "user=u port=1"),
            ("host=h password=s3cret user=u", "host=h password=***"),
            ("PassWord = 's3 cret' host=h", "PassWord =***"),
            ("user=u sslpassword=s3cret", "user=u sslpassword=***"),
            ("user=u password s3cret password=s3cret", "user=u password s3cret password=***"),
            ("oauth_client_secret=s3cret", "oauth_client_secret=***"),
            ("postgresql://u:s3cret@h/db", "postgresql://u:***"),
            ("postgres://u:s3@cret@h:5432/db?sslmode=prefer", "postgres://u:***"),
            ("postgresql://h:5432/db?user=u", "postgresql://h:5432/db?user=u"),
            ("postgresql://h/db?password=s3cret&user=u", "postgresql://h/db?password=***"),
            ("primary_conninfo = 'host=h password=''s3cret", "primary_conninfo = 'host=h password=***"),
            ("İpassword=s3cret", "İpassword=***"),
        ] {
            assert_eq!(masked(text), shown);
        }
        for broken in ["user=u password=one s3cret", "password='a's3cret b=1", "password=a s3cret='x"] {
            let error = Conninfo::parse(broken).expect_err("broken").to_string();
            assert!(!error.contains("s3cret") && error.contains("password"), "{error}");
        }
    }

    #[test]
    fn debug_hides_the_password() {
        let info = Conninfo::parse("user=u password=secret").expect("valid");
        assert_eq!(format!("{info:?}"), "user=u password=***");
    }
}
