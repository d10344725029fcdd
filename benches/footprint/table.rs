//! Results, the values they are compared with, and goals, as a text table.

use std::fmt;

/// The limit for a result.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// Upper limit of the ratio to the baseline or peer.
    RatioMost(f64),
    /// Lower limit of the ratio.
    RatioLeast(f64),
    /// Upper limit of the value.
    Most(f64),
    /// Informational.
    None,
}

struct Row {
    figure: String,
    ours: String,
    other: String,
    ratio: String,
    goal: String,
    verdict: &'static str,
}

#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Table {
    /// Adds a value without comparison.
    pub(crate) fn alone(&mut self, figure: impl Into<String>, ours: f64, unit: &str, goal: Goal) {
        let (goal, verdict) = judge(goal, ours, f64::NAN, unit);
        let ours = number(ours, unit);
        self.push(Row { figure: figure.into(), ours, other: "-".into(), ratio: "-".into(), goal, verdict });
    }

    /// Adds a value with a comparison. `pairs` contains both values for each round; the ratio is the median
    /// of the ratios of the rounds.
    pub(crate) fn beside(&mut self, figure: impl Into<String>, pairs: &[(f64, f64)], unit: &str, goal: Goal) {
        let ours = median(pairs.iter().map(|pair| pair.0));
        let other = median(pairs.iter().map(|pair| pair.1));
        let ratio = median(pairs.iter().map(|pair| pair.0 / pair.1));
        let (goal, verdict) = judge(goal, ours, ratio, unit);
        let (ours, other, ratio) = (number(ours, unit), number(other, unit), number(ratio, ""));
        self.push(Row { figure: figure.into(), ours, other, ratio, goal, verdict });
    }

    /// Adds a line below the table, for example about a skipped comparison.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        eprintln!("        {note}");
        self.notes.push(note);
    }

    fn push(&mut self, row: Row) {
        eprintln!("        {}: {}, {}, {} {}", row.figure, row.ours, row.other, row.ratio, row.verdict);
        self.rows.push(row);
    }
}

fn judge(goal: Goal, ours: f64, ratio: f64, unit: &str) -> (String, &'static str) {
    let (text, kept) = match goal {
        Goal::RatioMost(most) => (format!("ratio ≤ {most}"), ratio <= most),
        Goal::RatioLeast(least) => (format!("ratio ≥ {least}"), ratio >= least),
        Goal::Most(most) => (format!("≤ {}", number(most, unit)), ours <= most),
        Goal::None => return ("-".into(), "-"),
    };
    // The comparison was skipped.
    let is_open = ratio.is_nan() && !matches!(goal, Goal::Most(_));
    let verdict = match kept {
        _ if is_open => "-",
        true => "pass",
        false => "FAIL",
    };
    (text, verdict)
}

fn number(value: f64, unit: &str) -> String {
    let number = match value.abs() {
        size if size.is_nan() => return "-".to_owned(),
        size if size >= 100.0 => format!("{value:.0} {unit}"),
        size if size >= 10.0 => format!("{value:.1} {unit}"),
        _ => format!("{value:.2} {unit}"),
    };
    number.trim_end().to_owned()
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    quantile(values, 0.5)
}

/// Interpolates linearly between the two closest values.
pub(crate) fn quantile(values: impl IntoIterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = ["measurement", "pingstate", "baseline/peer", "ratio", "goal", "result"];
        let mut lines = vec![titles.map(str::to_owned)];
        lines.extend(self.rows.iter().map(|row| {
            [&row.figure, &row.ours, &row.other, &row.ratio, &row.goal, row.verdict].map(str::to_owned)
        }));
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..titles.len()).map(width).collect();
        for (number, line) in lines.iter().enumerate() {
            for (column, cell) in line.iter().enumerate() {
                let width = widths[column];
                match column {
                    0 => write!(f, "| {cell:<width$} ")?,
                    1..=3 => write!(f, "| {cell:>width$} ")?,
                    _ => write!(f, "| {cell:<width$} ")?,
                }
            }
            writeln!(f, "|")?;
            if number == 0 {
                let rule = |column: usize| match column {
                    1..=3 => format!("|{}:", "-".repeat(widths[column] + 1)),
                    _ => format!("|{}", "-".repeat(widths[column] + 2)),
                };
                writeln!(f, "{}|", (0..titles.len()).map(rule).collect::<String>())?;
            }
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}
