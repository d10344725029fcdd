//! Validation of the settings of monitors before they run.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Hook, Monitor, Notifications};
use crate::probe::Heartbeat;
use crate::probe::build::{Error, ProbeBuilder, validate_name};
use crate::probe::guard::guarded;

impl Monitor {
    const INTERVALS: RangeInclusive<Duration> = Monitor::INTERVAL_MIN..=Monitor::INTERVAL_MAX;

    pub(crate) fn validate(&self) -> Result<(), Error> {
        let rules = &self.rules;
        if self.interval.is_zero() && self.heartbeat().is_some() {
            return Err(Error::Interval("is required for a heartbeat target".to_owned()));
        }
        in_range(Error::Interval, self.interval, Self::INTERVALS)?;
        in_range(Error::RetryInterval, rules.retry_interval, Self::INTERVALS)?;
        in_range(Error::IntervalDown, rules.interval_down.unwrap_or(self.interval), Self::INTERVALS)?;
        in_range(Error::IntervalFast, rules.interval_fast.unwrap_or(self.interval), Self::INTERVALS)?;
        match (rules.slow, rules.slow_clear) {
            (None, Some(_)) => return Err(Error::SlowClear("needs slow".to_owned())),
            (Some(slow), Some(clear)) => in_range(Error::SlowClear, clear, Duration::ZERO..=slow)?,
            (_, None) => {}
        }
        if let Some(group) = &self.group {
            validate_name(group).map_err(Error::Group)?;
        }
        if let Some(notifications) = &self.notifications {
            notifications.validate()?;
        }
        // A probe that panics here fails its checks.
        match guarded(|| self.probe.timeout()) {
            Ok(timeout) => in_range(Error::Timeout, timeout, SHORTEST..=ProbeBuilder::TIMEOUT_MAX),
            Err(_) => Ok(()),
        }
    }
}

impl Notifications {
    pub(super) fn validate(&self) -> Result<(), Error> {
        if let Some(interval) = self.remind {
            in_range(Error::Remind, interval, Notifications::REMIND_MIN..=Monitor::INTERVAL_MAX)?;
        }
        let Some(hook) = &self.hook else { return Ok(()) };
        if hook.words.is_empty() {
            return Err(Error::OnChange("needs a program".to_owned()));
        }
        in_range(Error::HookTimeout, hook.timeout, SHORTEST..=Hook::TIMEOUT_MAX)
    }
}

const SHORTEST: Duration = Duration::from_nanos(1);

fn in_range(
    error: fn(String) -> Error,
    value: Duration,
    range: RangeInclusive<Duration>,
) -> Result<(), Error> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(error(format!("{value:?} is not between {:?} and {:?}", range.start(), range.end())))
}

pub(crate) fn validate_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::Name(["duplicate name \"", pair[0], "\""].concat())),
        None => Ok(()),
    }
}

pub(crate) fn validate_tokens<'a>(
    heartbeats: impl Iterator<Item = Option<&'a Heartbeat>>,
) -> Result<(), Error> {
    let mut tokens: Vec<&str> = heartbeats.flatten().map(Heartbeat::token).collect();
    tokens.sort_unstable();
    match tokens.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(Error::TokenFile("two targets have the same token".to_owned())),
        false => Ok(()),
    }
}
