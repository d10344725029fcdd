//! Warnings of a successful check.

/// A condition that a successful check reports. It makes the state `degraded` instead of `up`, except for
/// [`ProbeWarning::AddressHeld`].
///
/// ```
/// use pingstate::ProbeWarning;
///
/// assert_eq!(ProbeWarning::CertSoon.as_str(), "cert_soon");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProbeWarning {
    /// The latency exceeds `--slow`.
    Slow,
    /// The certificate expires within `--cert-days`.
    CertSoon,
    /// More echo requests than `--ping-loss` allows were lost.
    Loss,
    /// A plugin returned the exit status 1.
    Plugin,
    /// The name cannot be resolved at the moment; its last address was used. Does not change the state.
    AddressHeld,
}

impl ProbeWarning {
    pub(crate) const ALL: [ProbeWarning; 5] = [
        ProbeWarning::Slow,
        ProbeWarning::CertSoon,
        ProbeWarning::Loss,
        ProbeWarning::Plugin,
        ProbeWarning::AddressHeld,
    ];

    /// The word in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ProbeWarning::Slow => "slow",
            ProbeWarning::CertSoon => "cert_soon",
            ProbeWarning::Loss => "loss",
            ProbeWarning::Plugin => "plugin",
            ProbeWarning::AddressHeld => "address_held",
        }
    }
}

/// A set of warnings.
///
/// ```
/// use pingstate::{ProbeWarning, ProbeWarnings};
///
/// let mut warnings = ProbeWarnings::default();
/// assert!(warnings.is_empty());
/// warnings.insert(ProbeWarning::Loss);
/// warnings.insert(ProbeWarning::Slow);
/// assert!(warnings.contains(ProbeWarning::Loss));
/// assert!(warnings.iter().eq([ProbeWarning::Slow, ProbeWarning::Loss]));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProbeWarnings(u8);

impl ProbeWarnings {
    /// Adds a warning.
    pub fn insert(&mut self, warning: ProbeWarning) {
        self.0 |= 1 << warning as u8;
    }

    /// Whether the warning is in the set.
    #[must_use]
    pub fn contains(self, warning: ProbeWarning) -> bool {
        self.0 & (1 << warning as u8) != 0
    }

    /// Whether there is no warning.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a warning makes the state degraded.
    pub(crate) fn degrade(self) -> bool {
        self.0 & !(1 << ProbeWarning::AddressHeld as u8) != 0
    }

    /// The warnings, in the order of the API.
    pub fn iter(self) -> impl Iterator<Item = ProbeWarning> {
        ProbeWarning::ALL.into_iter().filter(move |warning| self.contains(*warning))
    }
}
