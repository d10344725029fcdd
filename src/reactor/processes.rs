//! Starts the child processes that the engine requests, and reports their ends.

use std::io::{self, ErrorKind};

use super::children::{ChildId, Ended, first_line};
use super::{CHILD_OUTPUT, Reactor, clock, io_error};
use crate::clock::Now;
use crate::engine::{HookEnd, HookId, JobId};
use crate::monitor::Hook;
use crate::probe::{Exit, Program};
use crate::result::{Failure, Reason};

impl Reactor {
    #[cold]
    pub(super) fn start_hook(&mut self, id: HookId, hook: &Hook, env: Vec<(&'static str, String)>, now: Now) {
        let Err(error) = self.start_child(ChildId::Hook(id), &hook.words, env, true) else { return };
        let reason = io_error::text(&error);
        let end = match is_temporary(&error) {
            true => HookEnd::Unavailable(reason),
            false => HookEnd::NotStarted(reason),
        };
        self.engine.handle_hook_ended(id, &end, "", now);
    }

    pub(super) fn start_program(&mut self, id: JobId, program: &Program, target: &str, now: Now) {
        let of_check = || vec![("PINGSTATE_TARGET", target.replace('\0', ""))];
        let env = program.env().map_or_else(of_check, <[_]>::to_vec);
        let Err(error) = self.start_child(ChildId::Check(id), program.words(), env, program.env().is_some())
        else {
            return;
        };
        let detail = format!("{} could not be started: {}", program.name(), io_error::text(&error));
        let failure = match is_temporary(&error) {
            true => Failure::exhausted(detail),
            false => Failure::new(Reason::Exec, detail),
        };
        self.engine.handle_exited(id, Err(failure), now);
    }

    fn start_child(
        &mut self,
        id: ChildId,
        words: &[String],
        env: Vec<(&'static str, String)>,
        has_credentials: bool,
    ) -> io::Result<()> {
        self.listen_to_exits()?;
        self.children.start(id, words, env, self.poll.registry(), CHILD_OUTPUT, has_credentials)
    }

    pub(super) fn check_children(&mut self) {
        let now = clock::now();
        for Ended { id, exit, output } in self.children.check(&mut self.buffer, now.instant) {
            match id {
                ChildId::Check(id) => self.engine.handle_exited(id, Ok((exit, &output)), now),
                ChildId::Hook(id) => {
                    let end = match exit {
                        Exit::Status(status) => HookEnd::Exited(status),
                        Exit::Signal(signal) => HookEnd::Signalled(signal),
                    };
                    self.engine.handle_hook_ended(id, &end, &first_line(&output), now);
                }
            }
        }
    }
}

/// Whether the program may start later. A file that is open for writing is being updated.
fn is_temporary(error: &io::Error) -> bool {
    io_error::is_resource_exhaustion(error) || error.kind() == ErrorKind::ExecutableFileBusy
}
