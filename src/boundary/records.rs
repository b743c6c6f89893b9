//! The cluster's records of a resource, as pacemaker-attrd and the CIB have them.

use super::host::{HostError, HostResult};
use super::pacemaker::{self, Patience};
use crate::cluster::attributes::NodeValue;
use crate::decide::promotions::{self, Promotion};
use crate::decide::reported::{self, NodeReported};
use crate::decide::voters::{self, NodeVoters, Voters};

/// The promotions on record: the attribute of each node, and the property.
///
/// # Errors
/// Pacemaker does not answer, or one of them is damaged.
pub fn promotions(resource: &str, patience: Patience) -> HostResult<Vec<Promotion>> {
    let name = promotions::attribute(resource);
    let unread = |error: HostError| error.about("could not be read");
    let attributes = pacemaker::query(&name, patience).map_err(unread)?;
    let property = pacemaker::property(&name, patience).map_err(unread)?;
    let read = |text: String| {
        text.parse::<Promotion>()
            .map_err(|e| HostError::unusable(format!("{name}: {e}; delete it on all nodes")))
    };
    attributes.into_iter().map(|v| v.value).chain(property).map(read).collect()
}

/// Who has the acknowledged commits, by each node's record.
///
/// # Errors
/// As [`promotions`].
pub fn voters(resource: &str, patience: Patience) -> HostResult<Vec<NodeVoters>> {
    let name = voters::attribute(resource);
    let values = pacemaker::query(&name, patience)?;
    let read = |v: NodeValue| {
        let voters = v.value.parse::<Voters>();
        let voters =
            voters.map_err(|e| HostError::unusable(format!("{name}: {e}; delete it on all nodes")))?;
        Ok(NodeVoters { node: v.node, voters })
    };
    values.into_iter().map(read).collect()
}

/// Where each instance is in the WAL. A value that can't be read is none.
///
/// # Errors
/// Pacemaker does not answer.
pub fn reported(resource: &str, patience: Patience) -> HostResult<Vec<NodeReported>> {
    let values = pacemaker::query(&reported::attribute(resource), patience)?;
    let read = |v: NodeValue| Some(NodeReported { node: v.node, reported: v.value.parse().ok()? });
    Ok(values.into_iter().filter_map(read).collect())
}
