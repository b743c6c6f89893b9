//! What an injection leaves, and what one sees of it.

/// What the `happened` functions give: how one sees it, or why it can't be seen yet.
pub(super) type Seen = std::result::Result<String, String>;

/// What injecting left to recognise the fault by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// Process ids, in the node, of the processes that it hit.
    pub(super) processes: Vec<i32>,
    /// How often the node had been booted before.
    pub(super) boots: u32,
    /// How many of its processes the kernel had killed for their memory.
    pub(super) kills: u64,
    /// The promotable resource that was moved, and to where.
    pub(super) moved: Option<(String, String)>,
    /// The version of the package that was installed.
    pub(super) version: String,
    /// Other machines that it hit.
    pub(super) others: Vec<String>,
}
