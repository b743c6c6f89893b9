//! What PostgreSQL's files and answers mean. Pure: text or bytes in, values out.

pub mod auto_conf;
pub mod conf;
pub mod conninfo;
pub mod control_data;
pub mod directory;
pub mod environment_file;
pub mod history;
pub mod instance;
pub mod lsn;
pub mod passfile;
pub mod postmaster_pid;
pub mod probe;
pub mod rejection;
pub mod role;
pub mod server_log;
pub mod service;
pub mod socket_lock;
pub mod startup_title;
pub mod statistics;
pub mod survey;
pub mod sync_names;
pub mod timeline;
pub mod version;
pub mod view;
pub mod wal_end;
pub mod wal_file;
