//! What to bring up, in the words of the command line.

use super::up::{Disks, Failed, Options, Stage, WitnessOf};
use crate::host::error::{LabError, Result};
use crate::machines::description::Description;
use crate::machines::image::Suite;
use clap::Args;
use quorate::cluster::timing::Preset;
use quorate::layout::kind::Kind;
use quorate::layout::render::Agent;
use std::path::PathBuf;

/// What to bring up.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// packed, classic, three-centres, many-replicas, or their numbers 1 to 4; several come up side by side and share a
    /// witness [default: classic]
    #[arg(value_name = "LAYOUT", value_parser = layout)]
    pub layouts: Vec<Kind>,
    /// Another site than the examples: a file as `quorate layout show` prints it
    #[arg(long, value_name = "FILE", conflicts_with = "layouts")]
    pub site: Option<PathBuf>,
    /// The cluster's name in the lab; of several clusters one for each, comma-separated [default: that of its site]
    #[arg(long, value_delimiter = ',')]
    pub name: Vec<String>,
    /// Debian's release in the nodes [default: this host's]
    #[arg(long)]
    pub suite: Option<Suite>,
    /// The PostgreSQL resource agent: quorate or paf
    #[arg(long, default_value = "quorate", value_parser = agent)]
    pub agent: Agent,
    /// The set of timings: default, fast or paf [default: the site's]
    #[arg(long, value_parser = timing)]
    pub timing: Option<Preset>,
    /// Set everything up anew, not from the disks that an earlier set-up with the same scripts has left
    #[arg(long)]
    pub fresh: bool,
    /// Only boot the machines, with the package and nothing set up, to set a cluster up by hand
    #[arg(long)]
    pub bare: bool,
    /// Only boot machines of a plain Debian on which nothing is installed; apt has what README's commands need, and root's
    /// home the package
    #[arg(long, conflicts_with = "bare")]
    pub debian: bool,
    /// Leave the cluster, to be looked at: one that didn't get ready, or that of a test
    #[arg(long)]
    pub keep: bool,
    /// Use the witness of this cluster, which is up, and on whose network the cluster is then [default: its own]
    #[arg(long, value_name = "NAME")]
    pub witness_of: Option<String>,
    /// The Debian package for the database nodes, when it isn't the newest one in target/debian
    #[arg(long)]
    pub package: Option<PathBuf>,
}

impl UpArgs {
    /// As `up` takes it, one for each cluster.
    ///
    /// # Errors
    /// When a site can't be read, or the words don't go together.
    pub fn all(&self) -> Result<Vec<Options>> {
        let suite = self.suite.unwrap_or_else(Suite::of_host);
        let descriptions = match (&self.site, self.layouts.as_slice()) {
            (Some(file), _) => vec![Description::file(file, suite.postgresql(), self.timing)?],
            (None, []) => vec![Description::example(Kind::Classic, suite.postgresql(), self.timing)],
            (None, kinds) => {
                let example = |kind: &Kind| Description::example(*kind, suite.postgresql(), self.timing);
                kinds.iter().map(example).collect()
            }
        };
        if !self.name.is_empty() && self.name.len() != descriptions.len() {
            return Err(LabError::Host(format!(
                "{} clusters can't be called {}: one name for each, or leave --name out",
                descriptions.len(),
                self.name.join(", ")
            )));
        }
        let mut all: Vec<Options> = Vec::new();
        for (index, description) in descriptions.into_iter().enumerate() {
            let options = self.options(description, suite, self.name.get(index))?;
            if all.iter().any(|other| other.name == options.name) {
                return Err(LabError::Host(format!("two clusters can't both be called {}", options.name)));
            }
            all.push(options);
        }
        Ok(all)
    }

    /// The only one, for what works on one cluster.
    ///
    /// # Errors
    /// When there are several.
    pub fn one(&self) -> Result<Options> {
        let mut all = self.all()?;
        match (all.pop(), all.is_empty()) {
            (Some(options), true) => Ok(options),
            _ => Err(LabError::Host("one layout at a time".to_owned())),
        }
    }

    /// Whether a site is named: when not, a cluster that is up may have any.
    #[must_use]
    pub fn names_a_site(&self) -> bool {
        self.site.is_some() || !self.layouts.is_empty()
    }

    fn options(&self, description: Description, suite: Suite, name: Option<&String>) -> Result<Options> {
        let name = match name {
            Some(name) => name.clone(),
            None => description.site()?.name,
        };
        Ok(Options {
            name,
            description,
            suite,
            agent: self.agent,
            disks: if self.fresh { Disks::Fresh } else { Disks::Reuse },
            stage: match (self.bare, self.debian) {
                (_, true) => Stage::Plain,
                (true, false) => Stage::Machines,
                (false, false) => Stage::Cluster,
            },
            failed: if self.keep { Failed::Keep } else { Failed::Remove },
            package: self.package.clone(),
            witness_of: self.witness_of.clone().map_or(WitnessOf::Own, WitnessOf::Cluster),
        })
    }
}

fn layout(word: &str) -> std::result::Result<Kind, String> {
    let names: Vec<&str> = Kind::ALL.iter().map(|k| k.name()).collect();
    Kind::parse(word).ok_or_else(|| format!("there are {}, and their numbers", names.join(", ")))
}

fn agent(word: &str) -> std::result::Result<Agent, String> {
    let known = [Agent::Quorate, Agent::Paf];
    known.into_iter().find(|a| a.name() == word).ok_or_else(|| "there are quorate and paf".to_owned())
}

fn timing(word: &str) -> std::result::Result<Preset, String> {
    let names: Vec<&str> = Preset::ALL.iter().map(|p| p.name()).collect();
    Preset::parse(word).ok_or_else(|| format!("there are {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        up: UpArgs,
    }

    fn read(words: &[&str]) -> UpArgs {
        Line::parse_from(["up"].iter().chain(words)).up
    }

    #[test]
    fn layouts_by_name_and_number() {
        let all = read(&["1", "many-replicas", "--timing", "fast", "--agent", "paf"]).all().expect("both");
        let names: Vec<&str> = all.iter().map(|o| o.name.as_str()).collect();
        assert_eq!(names, ["packed", "many-replicas"]);
        assert_eq!(all[0].agent, Agent::Paf);
        assert_eq!(all[0].description.site().expect("an example").profile.preset, Preset::Fast);
        let only = read(&[]).one().expect("classic");
        assert_eq!((only.name.as_str(), only.description.timing), ("classic", None));
    }

    #[test]
    fn words_that_do_not_go_together() {
        assert!(read(&["1", "2", "--name", "x"]).all().is_err());
        assert!(read(&["1", "2", "--name", "x,x"]).all().is_err());
        assert!(read(&["1", "1"]).all().is_err());
        let named = read(&["1", "2", "--name", "x,y"]).all().expect("one each");
        assert_eq!(named.iter().map(|o| o.name.as_str()).collect::<Vec<_>>(), ["x", "y"]);
        assert!(read(&["1", "2"]).one().is_err());
        assert!(Line::try_parse_from(["up", "five"]).is_err());
        assert!(Line::try_parse_from(["up", "--site", "x", "1"]).is_err());
        assert!(Line::try_parse_from(["up", "--timing", "slow"]).is_err());
    }
}
