//! The layout "classic": two database nodes and a witness on one flat network.

use super::protocol::NodeKind;
use std::net::Ipv4Addr;

/// The address of the lab itself on the nodes' bridge: where a measuring client stands.
pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The nodes' network. Every cluster has a network namespace of its own, so all may use the same one.
pub const NETWORK: &str = "10.77.0.0/24";
/// The length of the network's prefix.
pub const PREFIX: u8 = 24;
/// The float IP of the primary (`primary-ip`).
pub const PRIMARY_IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
/// The float IP of the standby (`standby-ip`).
pub const STANDBY_IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 101);
/// PostgreSQL's port on every node.
pub const PG_PORT: u16 = 5432;
/// The role, its password and its database for a measuring client. It may create tables there.
pub const CLIENT_USER: &str = "heart";
pub const CLIENT_PASSWORD: &str = "heart-and-beat";
pub const CLIENT_DATABASE: &str = "heart";
/// The promotable clone and the resource in it.
pub const CLONE: &str = "pgsqld-clone";
pub const RESOURCE: &str = "pgsqld";

/// A node of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodePlan {
    pub name: &'static str,
    pub address: Ipv4Addr,
    pub kind: NodeKind,
}

/// The nodes of "classic", the witness last.
pub const CLASSIC: [NodePlan; 3] = [
    NodePlan { name: "srv1", address: Ipv4Addr::new(10, 77, 0, 11), kind: NodeKind::Database },
    NodePlan { name: "srv2", address: Ipv4Addr::new(10, 77, 0, 12), kind: NodeKind::Database },
    NodePlan { name: "witness", address: Ipv4Addr::new(10, 77, 0, 13), kind: NodeKind::Witness },
];
