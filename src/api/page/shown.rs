//! What the page shows as the state of a target.

use crate::fsm::State;
use crate::monitor::Target;

/// The worst one first. A paused target is not unknown for a reader: it is so on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shown {
    Down,
    Degraded,
    Unknown,
    Paused,
    Up,
}

impl Shown {
    pub(super) const ALL: [Shown; 5] =
        [Shown::Down, Shown::Degraded, Shown::Unknown, Shown::Paused, Shown::Up];

    pub(super) fn of(target: &Target) -> Shown {
        match target.fsm().state() {
            _ if target.is_paused() => Shown::Paused,
            state => state.into(),
        }
    }

    /// Also the class of the element.
    pub(super) fn word(self) -> &'static str {
        match self {
            Shown::Down => "down",
            Shown::Degraded => "degraded",
            Shown::Unknown => "unknown",
            Shown::Paused => "paused",
            Shown::Up => "up",
        }
    }

    /// Shape and word distinguish the states without colours.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Shown::Down => "▼",
            Shown::Degraded => "▲",
            Shown::Unknown => "○",
            Shown::Paused => "‖",
            Shown::Up => "●",
        }
    }

    /// The symbol as an image.
    pub(super) fn icon(self) -> String {
        let (colour, path) = match self {
            Shown::Down => ("cf222e", "M0 1h16L8 15z"),
            Shown::Degraded => ("d29922", "M8 1l8 14H0z"),
            Shown::Unknown => ("8b949e", "M8 1a7 7 0 1 0 .1 0zm0 4a3 3 0 1 1-.1 0z"),
            Shown::Paused => ("8b949e", "M2 1h4v14H2zM10 1h4v14h-4z"),
            Shown::Up => ("2da44e", "M8 1a7 7 0 1 0 .1 0z"),
        };
        [
            "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><path fill='%23",
            colour,
            "' d='",
            path,
            "'/></svg>",
        ]
        .concat()
    }
}

impl From<State> for Shown {
    fn from(state: State) -> Shown {
        match state {
            State::Down => Shown::Down,
            State::Degraded => Shown::Degraded,
            State::Unknown => Shown::Unknown,
            State::Up => Shown::Up,
        }
    }
}
