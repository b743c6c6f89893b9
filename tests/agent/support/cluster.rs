//! Stand-ins for Pacemaker's command line tools: attributes are files, every call is logged.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::world::World;

/// The tools that the agent might call.
const TOOLS: &[&str] = &["crm_attribute", "attrd_updater", "crm_mon", "crm_resource", "crm_node", "cibadmin"];

/// How the tools behave.
#[derive(Debug, Clone, Copy)]
pub enum Tools {
    /// As in a running cluster.
    Cluster,
    /// As on a host where Pacemaker does not run.
    NoCluster,
    /// Not installed.
    Missing,
    /// A daemon that does not answer.
    Hanging,
    /// crm_attribute fails, the others work.
    NoScores,
    /// crm_attribute hangs, the others work.
    HangingScores,
    /// crm_attribute is not installed, the others work.
    MissingScores,
}

/// What Pacemaker believes of an instance: the last operation that succeeded.
#[derive(Debug, Clone, Copy)]
pub enum Role {
    Stopped,
    Unpromoted,
    Promoted,
}

/// crm_attribute and attrd_updater over files; the rest answers nothing.
const CLUSTER: &str = r#"#!/bin/sh
# @NODE@'s stand-in for Pacemaker's tools.
tool=${0##*/} store=@STORE@ node=@NODE@ name= value= do=query quiet=no all=no
printf '%s %s %s\n' "$node" "$tool" "$*" >>@LOG@
# What `crm_mon -1 -A --output-as=xml` prints of these nodes and their instances.
mon() {
    echo '<pacemaker-result api-version="2.25" request="crm_mon"><summary><stack type="corosync"/>'
    echo '<current_dc present="true" version="2.1.5" name="srv1" id="1" with_quorum="true" mixed_version="false"/></summary><nodes>'
    for f in "@ROLES@"/*; do
        echo "<node name=\"${f##*/}\" id=\"${f##*/srv}\" online=\"true\" standby=\"false\" unclean=\"false\" pending=\"false\" type=\"member\"/>"
    done
    echo '</nodes><resources><clone id="pgsqld-clone" multi_state="true" unique="false" managed="true" failed="false">'
    for f in "@ROLES@"/*; do
        role=$(cat "$f") on=
        [ "$role" = Stopped ] || on="<node name=\"${f##*/}\" id=\"${f##*/srv}\" cached=\"true\"/>"
        echo "<resource id=\"pgsqld\" resource_agent=\"ocf:quorate:postgres\" role=\"$role\" active=\"true\" blocked=\"false\" managed=\"true\" failed=\"false\">$on</resource>"
    done
    echo '</clone></resources><node_attributes>'
    for d in "$store"/*/; do
        [ -d "$d" ] || continue
        n=${d%/}
        echo "<node name=\"${n##*/}\">"
        for f in "$d"*; do [ -e "$f" ] && echo "<attribute name=\"${f##*/}\" value=\"$(cat "$f")\"/>"; done
        echo '</node>'
    done
    echo '</node_attributes><status code="0" message="OK"/></pacemaker-result>'
}
while [ $# -gt 0 ]; do
    word=$1; shift
    case $word in
    --*=*) set -- "${word#*=}" "$@"; word=${word%%=*}; given=yes ;;
    --promotion) given=no ;;
    *) given=yes ;;
    esac
    case $word in
    -N|--node|-U|--uname) if [ "$tool" = attrd_updater ] && [ "$word" = -U ]; then do=update value=$1; else node=$1; fi; shift ;;
    -n|--name|--attr-name) name=$1; shift ;;
    -p|--promotion) if [ "$tool" = crm_attribute ]; then
            if [ "$given" = yes ] && [ "$word" = --promotion ]; then name=master-$1; shift; else name=master-${OCF_RESOURCE_INSTANCE%%:*}; fi
        fi ;;
    -v|--update|--attr-value|-B|--update-both) do=update value=$1; shift ;;
    -D|--delete) do=delete ;;
    -G|-Q|--query) do=query ;;
    -A|--all) all=yes ;;
    -q|--quiet) quiet=yes ;;
    -l|--lifetime|-t|--type|-d|--default|--delay|-Y) shift ;;
    esac
done
case $tool in
crm_attribute|attrd_updater) ;;
crm_node) echo @NODE@; exit 0 ;;
crm_mon) mon; exit 0 ;;
*) exit 102 ;;
esac
[ "$node" = local ] && node=@NODE@
file=$store/$node/$name
case $do in
update) mkdir -p "$store/$node"; printf '%s\n' "$value" >"$file.$$" && mv "$file.$$" "$file" ;;
delete) rm -f "$file" ;;
query)
    [ "$all" = no ] || { for f in "$store"/*/"$name"; do [ -e "$f" ] || continue; n=${f%/*}; echo "name=\"$name\" host=\"${n##*/}\" value=\"$(cat "$f")\""; done; exit 0; }
    if ! [ -e "$file" ]; then echo "$tool: Error performing operation: No such device or address" >&2; exit 105; fi
    if [ "$tool" = attrd_updater ]; then echo "name=\"$name\" host=\"$node\" value=\"$(cat "$file")\""
    elif [ $quiet = yes ]; then cat "$file"
    else echo "scope=status  name=$name value=$(cat "$file")"; fi ;;
esac
"#;

const NO_CLUSTER: &str = r#"#!/bin/sh
printf '%s %s %s\n' @NODE@ "${0##*/}" "$*" >>@LOG@
echo "${0##*/}: Could not connect to the CIB: Transport endpoint is not connected" >&2
exit 102
"#;

const HANGING: &str = r#"#!/bin/sh
printf '%s %s %s\n' @NODE@ "${0##*/}" "$*" >>@LOG@
trap '' TERM
sleep 300 & wait; sleep 300
"#;

impl World {
    /// The attributes of the nodes: `<node>/<name>`.
    pub fn attributes(&self) -> PathBuf {
        self.dir.join("attributes")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("tools.log")
    }

    /// A layer for /usr/sbin with the tools of a node.
    pub(super) fn tools(&self, node: &str, tools: Tools) -> PathBuf {
        let (kind, scores, rest) = match tools {
            Tools::Cluster => ("cluster", Some(CLUSTER), Some(CLUSTER)),
            Tools::NoCluster => ("no-cluster", Some(NO_CLUSTER), Some(NO_CLUSTER)),
            Tools::Missing => ("missing", None, None),
            Tools::Hanging => ("hanging", Some(HANGING), Some(HANGING)),
            Tools::NoScores => ("no-scores", Some(NO_CLUSTER), Some(CLUSTER)),
            Tools::HangingScores => ("hanging-scores", Some(HANGING), Some(CLUSTER)),
            Tools::MissingScores => ("missing-scores", None, Some(CLUSTER)),
        };
        let layer = self.dir.join("tools").join(node).join(kind);
        if layer.exists() {
            return layer;
        }
        fs::create_dir_all(&layer).expect("a directory can be made");
        for tool in TOOLS {
            let path = layer.join(tool);
            match if *tool == "crm_attribute" { scores } else { rest } {
                Some(script) => self.write_tool(&path, script, node),
                // Overlayfs' whiteout: the file of the layer below is not there.
                None => run("mknod", &[&path.to_string_lossy(), "c", "0", "0"]),
            }
        }
        layer
    }

    fn write_tool(&self, path: &Path, script: &str, node: &str) {
        let text = script
            .replace("@NODE@", node)
            .replace("@STORE@", &self.attributes().to_string_lossy())
            .replace("@ROLES@", &self.dir.join("roles").to_string_lossy())
            .replace("@LOG@", &self.log().to_string_lossy());
        fs::write(path, text).expect("a writable directory");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }

    /// The promotion score of a node, where it has one.
    pub fn score(&self, node: &str) -> Option<i64> {
        self.attribute(node, "master-pgsqld").and_then(|v| v.parse().ok())
    }

    pub fn attribute(&self, node: &str, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.attributes().join(node).join(name)).ok()?;
        Some(text.trim().to_owned())
    }

    /// How many nodes there are.
    pub(super) fn nodes(&self) -> usize {
        fs::read_dir(self.dir.join("roles")).map_or(0, Iterator::count)
    }

    /// What Pacemaker believes of an instance.
    pub fn set_role(&self, node: &str, role: Role) {
        let dir = self.dir.join("roles");
        fs::create_dir_all(&dir).expect("a directory can be made");
        fs::write(dir.join(node), format!("{role:?}\n")).expect("a writable directory");
    }

    pub fn set_attribute(&self, node: &str, name: &str, value: &str) {
        let dir = self.attributes().join(node);
        fs::create_dir_all(&dir).expect("a directory can be made");
        fs::write(dir.join(name), format!("{value}\n")).expect("a writable directory");
    }

    /// The calls of Pacemaker's tools since the last look: `node tool arguments`.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let _ = fs::remove_file(self.log());
        text.lines().map(ToOwned::to_owned).collect()
    }

    /// Those of [`World::calls`] that change something.
    pub fn writes(&self) -> Vec<String> {
        let change = |c: &String| {
            c.split(' ').any(|w| {
                ["-v", "--update", "-U", "-B", "-D", "--delete"].contains(&w) || w.starts_with("--update=")
            })
        };
        self.calls().into_iter().filter(change).collect()
    }
}

fn run(program: &str, words: &[&str]) {
    let status = Command::new(program).args(words).status().expect("coreutils are there");
    assert!(status.success(), "{program} {words:?}: {status}");
}
