//! What a crashed server left that would keep the next one from starting.

use super::{Effect, Node, ProcessState, process, trouble};

impl Node {
    /// After a crash the recorded pid may belong to something else by now (or to a zombie that nobody reaped), and
    /// PostgreSQL would refuse to start beside it. That nothing works in this data directory was seen just before; the
    /// socket's lock is removed only where its process is gone, is no PostgreSQL, or is another user's, as PostgreSQL itself
    /// has it.
    pub(super) fn remove_stale_locks(&self) -> Effect<()> {
        match self.processes().map_err(trouble)? {
            (None, children) if children.is_empty() => {}
            _ => return Ok(()),
        }
        let files = self.files().map_err(trouble)?;
        files.remove(&self.pgdata().join("postmaster.pid")).map_err(trouble)?;
        let lock = self.settings.pghost.join(format!(".s.PGSQL.{}.lock", self.settings.pgport));
        let Ok(text) = files.read_text(&lock) else { return Ok(()) };
        let owner = text.lines().next().and_then(|line| line.trim().parse::<i32>().ok());
        let held = match owner.map(process::inspect) {
            Some(Ok(Some(owner))) => {
                owner.state != ProcessState::Zombie
                    && owner.comm.starts_with("postgres")
                    && process::user_of(owner.id) == Some(files.user().uid)
            }
            Some(Err(_)) => true,
            Some(Ok(None)) | None => false,
        };
        if held { Ok(()) } else { files.remove(&lock).map(drop).map_err(trouble) }
    }
}
