//! The engine with arbitrary inputs, and the invariants that must hold.

mod targets;
mod world;

use super::{Source, message};
use world::World;

/// The maximum number of steps.
const STEPS_MAX: usize = 1500;

/// The script of the scripted target, preceded by its length, then a sequence of steps: one byte each and its
/// parameters.
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
