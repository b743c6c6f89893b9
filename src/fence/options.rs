//! What the agent is asked: by lines `key=value` on standard input, as Pacemaker does, or by options, as a person does. One table
//! for both, for the meta-data and for the manual page.

use std::ffi::OsString;

use clap::builder::TypedValueParser;
use clap::{CommandFactory, Parser};

/// What the agent can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Off,
    On,
    Reboot,
    Status,
    Monitor,
    List,
    Metadata,
    ValidateAll,
}

impl Action {
    /// All of them, as the meta-data lists them.
    pub const ALL: [Action; 8] = [
        Action::On,
        Action::Off,
        Action::Reboot,
        Action::Status,
        Action::List,
        Action::Monitor,
        Action::Metadata,
        Action::ValidateAll,
    ];

    /// Its name in the FenceAgentAPI.
    pub const fn name(self) -> &'static str {
        match self {
            Action::Off => "off",
            Action::On => "on",
            Action::Reboot => "reboot",
            Action::Status => "status",
            Action::Monitor => "monitor",
            Action::List => "list",
            Action::Metadata => "metadata",
            Action::ValidateAll => "validate-all",
        }
    }

    /// The action of that name, in upper or lower case.
    fn parse(word: &str) -> Result<Action, String> {
        let names = || Self::ALL.map(Action::name).join(", ");
        let found = Self::ALL.into_iter().find(|action| action.name().eq_ignore_ascii_case(word.trim()));
        found.ok_or_else(|| format!("one of {}", names()))
    }
}

/// The longest `wait`, in seconds: more would delay the next level for nothing, a node that resets itself leaves sooner.
const LONGEST_WAIT: u64 = 30;

fn seconds(word: &str) -> Result<u64, String> {
    let seconds = word.trim().parse().ok().filter(|seconds| *seconds <= LONGEST_WAIT);
    seconds.ok_or_else(|| format!("a whole number of seconds from 0 to {LONGEST_WAIT}, such as 2"))
}

fn node(word: &str) -> Result<String, String> {
    let name = word.trim();
    let fits = !name.contains('/') && !name.starts_with('.') && !name.contains(char::is_control);
    if fits { Ok(name.to_owned()) } else { Err("the name of a node, as crm_node -l lists it".to_owned()) }
}

/// Confirms that a node is gone which announced its self-fencing before it reset itself.
#[derive(Debug, Parser)]
#[command(
    name = super::NAME,
    version,
    args_override_self = true,
    long_about = super::metadata::LONG,
    after_long_help = super::metadata::HELP
)]
pub struct Options {
    /// What to do: on, off, reboot, status, list, monitor, metadata or validate-all
    #[arg(short = 'o', long, value_name = "ACTION", default_value = "reboot",
          value_parser = clap::builder::StringValueParser::new().try_map(|word| Action::parse(&word)))]
    pub action: Action,
    /// Pacemaker's name of the node
    #[arg(short = 'n', long, alias = "port", value_name = "NODE", value_parser = node)]
    pub plug: Option<String>,
    /// The node's name where there is no plug; Pacemaker gives both
    #[arg(short = 'N', long, value_name = "NODE", value_parser = node)]
    pub nodename: Option<String>,
    /// Seconds for which a node that announced its self-fencing may take to leave the membership
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub wait: u64,
    /// Seconds for which a member that is told to end may take to announce its self-fencing; 0: none is told to
    #[arg(long = "self_fence_timeout", alias = "self-fence-timeout", value_name = "SECONDS", default_value = "4",
          value_parser = seconds)]
    pub self_fence_timeout: u64,
}

/// Options that are none, in one line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// What `--help` or `--version` shows.
    #[error("{0}")]
    Shown(String),
    /// A mistake, with the value and the cure.
    #[error("{0}")]
    Wrong(String),
}

impl Options {
    /// Reads a command line without the program's name.
    ///
    /// # Errors
    /// On options that are not known, values that can't be used; and what is to be shown instead.
    pub fn from_arguments(arguments: &[OsString]) -> Result<Options, OptionsError> {
        let words = std::iter::once(OsString::from(super::NAME)).chain(arguments.iter().cloned());
        Options::try_parse_from(words).map_err(|error| {
            let text = error.to_string();
            if error.use_stderr() {
                let line = text.lines().next().unwrap_or_default();
                OptionsError::Wrong(format!(
                    "{}; see {} --help",
                    line.trim_start_matches("error: "),
                    super::NAME
                ))
            } else {
                OptionsError::Shown(text)
            }
        })
    }

    /// Reads what is on standard input: a line each, of several with one key the last counts. Keys that are not ours are not ours
    /// to judge.
    ///
    /// # Errors
    /// On values that can't be used.
    pub fn from_lines(text: &str) -> Result<Options, OptionsError> {
        let command = Options::command();
        let ours = |key: &str| {
            let named = |arg: &clap::Arg| {
                let aliases = arg.get_all_aliases().unwrap_or_default();
                arg.get_long() == Some(key) || aliases.contains(&key)
            };
            command.get_arguments().any(named)
        };
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let pairs = lines.map(|line| line.split_once('=').unwrap_or((line, "")));
        let words: Vec<OsString> = pairs
            .filter(|(key, _)| ours(key))
            .map(|(key, value)| format!("--{key}={value}").into())
            .collect();
        Options::from_arguments(&words)
    }

    /// The node that is meant.
    pub fn target(&self) -> Option<&str> {
        let given = |name: &'_ Option<String>| name.as_deref().is_some_and(|name| !name.is_empty());
        let name = if given(&self.plug) { &self.plug } else { &self.nodename };
        name.as_deref().filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Options {
        Options::from_lines(text).unwrap()
    }

    fn wrong(result: Result<Options, OptionsError>) -> String {
        match result {
            Err(OptionsError::Wrong(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn as_pacemaker_gives_them() {
        let options = lines("action=off\nnodename=srv1\nplug=srv1\nnodeid=1\npcmk_host_list=srv1 srv2\n");
        assert_eq!((options.action, options.target(), options.wait), (Action::Off, Some("srv1"), 2));
        let options = lines(
            "# action=on\n\n  ACTION=on\naction=STATUS\nport=srv1\nport=srv2\nwait=0\nrubbish\nplug =x\n",
        );
        assert_eq!((options.action, options.target(), options.wait), (Action::Status, Some("srv2"), 0));
        assert_eq!(lines("plug=\nnodename=srv3").target(), Some("srv3"));
        assert_eq!((lines("").action, lines("").target()), (Action::Reboot, None));
        assert_eq!(lines("plug=a=b").target(), Some("a=b"));
        for action in Action::ALL {
            assert_eq!(lines(&format!("action={}\r\n", action.name())).action, action);
        }
    }

    #[test]
    fn what_is_asked_of_nobody_else_is_no_option() {
        // Pacemaker may pass keys of these names as well as any other.
        for text in ["help=1", "version=1", "verbose=1", "h=1"] {
            let options = Options::from_lines(text);
            assert!(options.is_ok(), "{text}: {options:?}");
        }
    }

    #[test]
    fn mistakes_name_the_value_and_the_cure() {
        for (text, words) in [
            ("wait=soon", ["'soon'", "--wait", "from 0 to 30"]),
            ("wait=-1", ["'-1'", "--wait", "from 0 to 30"]),
            ("wait=31", ["'31'", "--wait", "from 0 to 30"]),
            ("wait=", ["''", "--wait", "from 0 to 30"]),
            ("action=explode", ["'explode'", "--action", "on, off, reboot"]),
            ("action=", ["''", "--action", "on, off, reboot"]),
            ("plug=../x", ["'../x'", "--plug", "crm_node -l"]),
        ] {
            let said = wrong(Options::from_lines(text));
            assert!(words.iter().all(|word| said.contains(word)) && !said.contains('\n'), "{text}: {said}");
        }
        let said = wrong(Options::from_arguments(&["--plugg=x".into()]));
        assert!(said.contains("--plugg") && said.contains("--help") && !said.contains('\n'), "{said}");
    }

    #[test]
    fn as_a_person_types_them() {
        let typed = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
            Options::from_arguments(&words)
        };
        let options = typed("-o off -n srv1 --wait 5").unwrap();
        assert_eq!((options.action, options.target(), options.wait), (Action::Off, Some("srv1"), 5));
        let options = typed("--action=status --nodename=srv2").unwrap();
        assert_eq!((options.action, options.target()), (Action::Status, Some("srv2")));
        for shown in ["--help", "-h", "--version", "-V"] {
            assert!(matches!(typed(shown), Err(OptionsError::Shown(_))), "{shown}");
        }
    }
}
