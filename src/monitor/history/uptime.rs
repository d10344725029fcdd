//! The uptime of a target in several periods.

/// A period that ends now, of which [`Uptime::ratio`] is the uptime.
///
/// ```
/// use pingstate::Window;
///
/// assert_eq!(Window::ALL.map(Window::as_str), ["24h", "7d", "30d", "90d"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Window {
    /// 48 half-hours including the current one.
    H24,
    /// 7 UTC days including today.
    D7,
    /// 30 UTC days including today.
    D30,
    /// 90 UTC days including today.
    D90,
}

impl Window {
    /// From the shortest to the longest.
    pub const ALL: [Window; 4] = [Window::H24, Window::D7, Window::D30, Window::D90];

    /// The key of the API's JSON, and the label of the metric.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Window::H24 => "24h",
            Window::D7 => "7d",
            Window::D30 => "30d",
            Window::D90 => "90d",
        }
    }
}

/// The part of the time in which a target was up or degraded, by [`Window`].
///
/// ```
/// use pingstate::{Monitor, Window, blocking, serve};
///
/// let server = serve(Monitor::new(blocking("disk", || true)), ([127, 0, 0, 1], 0))?;
/// let snapshot = server.targets().next().and_then(|disk| server.snapshot(disk)).expect("one target");
/// let uptime = snapshot.uptime.expect("the history is recorded");
/// assert_eq!(uptime.ratio(Window::H24), None, "not checked yet");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uptime([Option<u16>; 4]);

impl Uptime {
    /// In ten-thousandths, by [`Window::ALL`].
    pub(super) fn new(ratios: [Option<u16>; 4]) -> Self {
        Uptime(ratios)
    }

    /// 0 to 1, rounded down to four decimals: 1 is without any time down. Time in the state unknown is excluded.
    /// `None` without data.
    #[must_use]
    pub fn ratio(&self, window: Window) -> Option<f64> {
        // One division of an integer gives the float nearest to the decimal number.
        self.0[window as usize].map(|ratio| f64::from(ratio) / 10_000.0)
    }
}
