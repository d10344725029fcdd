//! Results, the values they are compared with, and goals, as a text table.

use std::fmt;

/// The limit for a result.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// Upper limit of the ratio to the baseline or peer.
    MaxRatio(f64),
    /// Lower limit of the ratio.
    MinRatio(f64),
    /// Upper limit of the value.
    Max(f64),
    /// Informational.
    None,
}

struct Row {
    name: String,
    ours: String,
    other: String,
    ratio: String,
    goal: String,
    result: &'static str,
}

#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Table {
    /// Adds a value without comparison.
    pub(crate) fn add(&mut self, name: impl Into<String>, ours: f64, unit: &str, goal: Goal) {
        let (goal, result) = evaluate(goal, ours, f64::NAN, unit);
        let ours = format_number(ours, unit);
        self.push(Row { name: name.into(), ours, other: "-".into(), ratio: "-".into(), goal, result });
    }

    /// Adds a value with a comparison. `pairs` contains both values for each round; the ratio is the median
    /// of the ratios of the rounds.
    pub(crate) fn add_comparison(
        &mut self,
        name: impl Into<String>,
        pairs: &[(f64, f64)],
        unit: &str,
        goal: Goal,
    ) {
        let ours = median(pairs.iter().map(|pair| pair.0));
        let other = median(pairs.iter().map(|pair| pair.1));
        let ratio = median(pairs.iter().map(|pair| pair.0 / pair.1));
        let (goal, result) = evaluate(goal, ours, ratio, unit);
        let (ours, other, ratio) =
            (format_number(ours, unit), format_number(other, unit), format_number(ratio, ""));
        self.push(Row { name: name.into(), ours, other, ratio, goal, result });
    }

    /// Adds a line below the table, for example about a skipped comparison.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        eprintln!("        {note}");
        self.notes.push(note);
    }

    fn push(&mut self, row: Row) {
        eprintln!("        {}: {}, {}, {} {}", row.name, row.ours, row.other, row.ratio, row.result);
        self.rows.push(row);
    }
}

fn evaluate(goal: Goal, ours: f64, ratio: f64, unit: &str) -> (String, &'static str) {
    let (text, met) = match goal {
        Goal::MaxRatio(max) => (format!("ratio ≤ {max}"), ratio <= max),
        Goal::MinRatio(min) => (format!("ratio ≥ {min}"), ratio >= min),
        Goal::Max(max) => (format!("≤ {}", format_number(max, unit)), ours <= max),
        Goal::None => return ("-".into(), "-"),
    };
    // The comparison was skipped.
    let is_skipped = ratio.is_nan() && !matches!(goal, Goal::Max(_));
    let result = match met {
        _ if is_skipped => "-",
        true => "pass",
        false => "FAIL",
    };
    (text, result)
}

fn format_number(value: f64, unit: &str) -> String {
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
pub(crate) fn quantile(values: impl IntoIterator<Item = f64>, q: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return f64::NAN };
    let position = q * last as f64;
    let (low, high) = (values[position.floor() as usize], values[position.ceil() as usize]);
    low + (high - low) * position.fract()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = ["measurement", "pingstate", "baseline/peer", "ratio", "goal", "result"];
        let mut lines = vec![titles.map(str::to_owned)];
        lines.extend(self.rows.iter().map(|row| {
            [&row.name, &row.ours, &row.other, &row.ratio, &row.goal, row.result].map(str::to_owned)
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
