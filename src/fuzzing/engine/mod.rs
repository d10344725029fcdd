//! The engine in a world that does anything at all, and the laws that hold in it.

mod targets;
mod world;

use super::{Source, message};
use world::World;

/// How many things happen at most.
const STEPS_MAX: usize = 1500;

/// The length of the script of the scripted target and the script, then a sequence of things that
/// happen, one byte each and what it needs.
pub fn engine(data: &[u8]) {
    let mut source = Source::new(data);
    let mut world = World::new(source.piece());
    for _ in 0..STEPS_MAX {
        if source.is_empty() {
            break;
        }
        world.step(&mut source);
    }
    world.finish();
}
