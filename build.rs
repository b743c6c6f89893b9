//! Says what a build leaves out, and names what it lacks before the linker does in its own words.
#![allow(
    clippy::disallowed_methods,
    reason = "a build script: cargo's environment, and one call of the linker"
)]

use std::path::Path;
use std::process::{Command, Stdio};

/// What `quorated` links, and the package that has it on Debian.
const LIBRARIES: [(&str, &str); 6] = [
    ("cpg", "libcpg-dev"),
    ("cfg", "libcfg-dev"),
    ("cmap", "libcmap-dev"),
    ("quorum", "libquorum-dev"),
    ("votequorum", "libvotequorum-dev"),
    ("qb", "libqb-dev"),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_DAEMON").is_none() {
        println!(
            "cargo::warning=built is the agent without the programs that need corosync's libraries or more crates: \
             --features cli (quorate), fence (fence_quorate), daemon (quorated); the lab is --workspace; all of it: sudo make \
             deps, make build"
        );
        return;
    }
    let Some(out) = std::env::var_os("OUT_DIR") else { return };
    let probe = Path::new(&out).join("probe.so");
    let links = |library: &str| {
        Command::new("cc")
            .args(["-shared", "-o"])
            .arg(&probe)
            .arg(format!("-l{library}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
    };
    // Without cc, or with another linker, rustc says what it lacks.
    if !links("c").is_ok_and(|status| status.success()) {
        return;
    }
    let missing: Vec<&str> = LIBRARIES
        .iter()
        .filter(|(library, _)| links(library).is_ok_and(|status| !status.success()))
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() {
        println!(
            "cargo::error=quorated (feature daemon) links corosync's libraries, and these are missing: {}; install them \
             (sudo make deps, or apt-get install), or build without the features daemon and packaging",
            missing.join(" ")
        );
    }
}
