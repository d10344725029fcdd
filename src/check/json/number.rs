//! JSON numbers of any size and precision, compared exactly.

use std::cmp::Ordering;

/// Limits the exponents of numbers that no system uses, so that sums of them do not overflow.
const EXPONENT_MAX: i64 = i64::MAX / 4;

/// Compares two numbers in the syntax of JSON.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (Number::parse(one), Number::parse(other));
    match one.sign.cmp(&other.sign) {
        Ordering::Equal if one.sign < 0 => other.compare_size(&one),
        Ordering::Equal => one.compare_size(&other),
        order => order,
    }
}

/// `sign × 0.DIGITS × 10^exponent`.
struct Number<'a> {
    /// Zero for zero, also for `-0`.
    sign: i8,
    /// The digits before and after the decimal point; the first digit of a number other than 0 is not 0.
    digits: [&'a str; 2],
    exponent: i64,
}

impl Number<'_> {
    fn parse(text: &str) -> Number<'_> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let limit = if exponent.starts_with('-') { -EXPONENT_MAX } else { EXPONENT_MAX };
        let exponent = exponent.parse().unwrap_or(limit).clamp(-EXPONENT_MAX, EXPONENT_MAX);
        let digits = [whole.trim_start_matches('0'), fraction];
        if !digits[0].is_empty() {
            let exponent = exponent + digits[0].len() as i64;
            return Number { sign: if negative { -1 } else { 1 }, digits, exponent };
        }
        let significant = fraction.trim_start_matches('0');
        let sign = match (significant.is_empty(), negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let zeros = (fraction.len() - significant.len()) as i64;
        Number { sign, digits: ["", significant], exponent: exponent - zeros }
    }

    /// Compares the absolute values, of which neither or both are zero.
    fn compare_size(&self, other: &Number<'_>) -> Ordering {
        if self.sign == 0 {
            return Ordering::Equal;
        }
        let digits = |number: &Number<'_>| {
            let trimmed = number.digits.concat();
            trimmed.trim_end_matches('0').to_owned()
        };
        self.exponent.cmp(&other.exponent).then_with(|| digits(self).cmp(&digits(other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_exactly() {
        let groups: [&[&str]; 14] = [
            &["-1e400"],
            &["-18446744073709551617", "-1844674407370955161.70e1"],
            &["-18446744073709551616"],
            &["-10", "-1e1", "-0.1E+2"],
            &["-9.99"],
            &["-1e-400"],
            &["0", "-0", "0.000", "0e5", "-0.0e-999999999999999999999"],
            &["1e-400", "0.1e-399"],
            &["0.1", "1e-1", "0.10000"],
            &["0.1000000000000000000000000000000000001"],
            &["80", "80.0", "8e1", "0.08e3", "8000e-2"],
            &["80.5"],
            &["9007199254740993"],
            &["9007199254740994", "9007199254740994.0"],
        ];
        let all =
            groups.iter().enumerate().flat_map(|(rank, group)| group.iter().map(move |text| (rank, *text)));
        for (rank, text) in all.clone() {
            for (other_rank, other) in all.clone() {
                assert_eq!(compare(text, other), rank.cmp(&other_rank), "{text} {other}");
            }
        }
        assert!(compare("1e99999999999999999999", "1e9").is_gt());
        assert!(compare("1e-99999999999999999999", "1e-9").is_lt());
    }
}
