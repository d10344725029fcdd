//! The API for Rust programs: single checks, monitors on their own threads, the server, the state machine.

mod builder;
mod checked;
mod handle;
mod names;
mod once;
mod ping_fsm;
mod server;

pub use builder::ServerBuilder;
pub use checked::{CheckEvent, Warning};
pub use handle::MonitorHandle;
pub use names::ResolverConfig;
#[cfg(feature = "cli")]
pub(crate) use once::check_and_warn;
pub use once::{check, check_all, check_with};
pub use ping_fsm::PingFsm;
pub use server::{Server, ShutdownHandle, serve};
