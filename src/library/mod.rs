//! The API for Rust programs: single checks, monitors on their own threads, the server, the state machine.

mod builder;
mod events;
mod handle;
mod once;
mod ping_fsm;
mod resolver_config;
mod server;
mod test_notify;

pub use builder::ServerBuilder;
pub use events::{CheckEvent, Warning};
pub use handle::MonitorHandle;
#[cfg(feature = "cli")]
pub(crate) use once::check_in_order;
pub use once::{check, check_all, check_with};
pub use ping_fsm::PingFsm;
pub use resolver_config::ResolverConfig;
pub use server::{Server, ShutdownHandle, serve};
pub use test_notify::send_test_messages;
