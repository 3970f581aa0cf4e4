//! Quality gates: when the rows of a source are too bad to replace what is there (`design.md` §3). Each gate has a name, by
//! which an operator can override it; what was overridden stays in the report.

use std::fmt;

use domain::NaiveDate;
use serde::{Deserialize, Serialize};
use sources::ParseReport;

/// Thresholds, as shares between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// Share of rejected lines above which a warning is given.
    pub warn_rejected_share: f64,
    /// Share of rejected lines above which the source is not committed.
    pub refuse_rejected_share: f64,
    /// Loss of rows against the previous batch above which the source is not committed.
    pub refuse_row_loss: f64,
    /// Change of the total of the amounts against the previous batch, up or down, above which the source is not committed.
    pub refuse_amount_change: f64,
}

impl Default for Gates {
    fn default() -> Self {
        Self { warn_rejected_share: 0.01, refuse_rejected_share: 0.10, refuse_row_loss: 0.20, refuse_amount_change: 0.50 }
    }
}

/// A gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Too many lines are rejected.
    RejectedShare,
    /// Not one row.
    NoRows,
    /// Far fewer rows than in the previous batch.
    RowLoss,
    /// A total of amounts far from that of the previous batch.
    AmountChange,
    /// Nothing newer than in the previous batch.
    Freshness,
}

impl Gate {
    /// All gates.
    pub const ALL: [Self; 5] = [Self::RejectedShare, Self::NoRows, Self::RowLoss, Self::AmountChange, Self::Freshness];

    /// The name by which it is overridden.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RejectedShare => "rejected_share",
            Self::NoRows => "no_rows",
            Self::RowLoss => "row_loss",
            Self::AmountChange => "amount_change",
            Self::Freshness => "freshness",
        }
    }

    /// The gate of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gate| gate.name() == name)
    }
}

/// What a gate looks at, of one source of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measured {
    /// Data lines read.
    pub lines: u64,
    /// Lines rejected.
    pub rejected: u64,
    /// Typed rows made.
    pub rows: u64,
    /// Total of the amounts, cents; 0 for a source without amounts.
    pub amount_cents: i64,
    /// The latest day that a row is about.
    pub last_day: Option<NaiveDate>,
}

impl Measured {
    /// Adds a file of the source.
    pub fn add(&mut self, report: &ParseReport) {
        self.lines += report.lines;
        self.rejected += report.rejections();
        self.rows += report.rows;
        self.amount_cents = self.amount_cents.saturating_add(report.amount.0);
        self.last_day = self.last_day.max(report.days.map(|(_, last)| last));
    }
}

/// What a gate says against a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which gate.
    pub gate: Gate,
    /// Whether it forbids the commit, or only warns.
    pub refuses: bool,
    /// What it found, with its threshold.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.gate.name(), self.text)
    }
}

impl Gates {
    /// Judges a source, against what it was in the batch before.
    pub fn judge(&self, measured: Measured, before: Option<Measured>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut found = |gate, refuses, text| findings.push(Finding { gate, refuses, text });
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let share = if measured.lines == 0 { 0.0 } else { measured.rejected as f64 / measured.lines as f64 };
        if share > self.refuse_rejected_share {
            let text = format!("{} of the lines are rejected; the limit is {}", percent(share), percent(self.refuse_rejected_share));
            found(Gate::RejectedShare, true, text);
        } else if share > self.warn_rejected_share {
            found(Gate::RejectedShare, false, format!("{} of the lines are rejected", percent(share)));
        }
        if measured.rows == 0 {
            found(Gate::NoRows, true, "not one usable row".to_owned());
            return findings;
        }
        let Some(before) = before.filter(|before| before.rows > 0) else { return findings };
        let loss = 1.0 - measured.rows as f64 / before.rows as f64;
        if loss > self.refuse_row_loss {
            let limit = percent(self.refuse_row_loss);
            let (now, then) = (measured.rows, before.rows);
            found(
                Gate::RowLoss,
                true,
                format!(
                    "{now} rows where the batch before had {then}: a loss of {}; the limit is {limit}. If the file only adds to the earlier ones, say so: --flow",
                    percent(loss)
                ),
            );
        }
        if before.amount_cents != 0 {
            let change = (measured.amount_cents as f64 / before.amount_cents as f64 - 1.0).abs();
            if change > self.refuse_amount_change {
                let limit = percent(self.refuse_amount_change);
                let euros = |cents: i64| cents / 100;
                let (now, then) = (euros(measured.amount_cents), euros(before.amount_cents));
                let text = format!(
                    "amounts of {now} euros where the batch before had {then}: a change of {}; the limit is {limit}",
                    percent(change)
                );
                found(Gate::AmountChange, true, text);
            }
        }
        if let (Some(last), Some(then)) = (measured.last_day, before.last_day)
            && last <= then
        {
            found(Gate::Freshness, false, format!("nothing after {last}, and the batch before went to {then}: is it last month's file?"));
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(lines: u64, rejected: u64, rows: u64) -> Measured {
        Measured { lines, rejected, rows, ..Measured::default() }
    }

    fn judge(now: Measured, before: Option<Measured>) -> Vec<(Gate, bool)> {
        Gates::default().judge(now, before).into_iter().map(|finding| (finding.gate, finding.refuses)).collect()
    }

    #[test]
    fn each_gate_has_its_threshold() {
        let first = |lines, rejected, rows| judge(measured(lines, rejected, rows), None);
        assert_eq!(first(1_000, 10, 990), []);
        assert_eq!(first(1_000, 11, 989), [(Gate::RejectedShare, false)]);
        assert_eq!(first(1_000, 100, 900), [(Gate::RejectedShare, false)]);
        assert_eq!(first(1_000, 101, 899), [(Gate::RejectedShare, true)]);
        assert_eq!(first(10, 0, 0), [(Gate::NoRows, true)], "a source is never emptied silently");
        assert_eq!(first(0, 0, 0), [(Gate::NoRows, true)]);
        let next = |rows, then| judge(measured(rows, 0, rows), Some(measured(then, 0, then)));
        assert_eq!(next(800, 1_000), []);
        assert_eq!(next(799, 1_000), [(Gate::RowLoss, true)]);
        assert_eq!(next(10, 0), []);
    }

    #[test]
    fn amounts_and_days_are_compared_with_the_batch_before() {
        let of = |amount_cents, day: &str| Measured {
            amount_cents,
            last_day: domain::dates::parse_iso(day.as_bytes()),
            ..measured(100, 0, 100)
        };
        let before = Some(of(1_000, "2025-10-31"));
        assert_eq!(judge(of(1_400, "2025-11-30"), before), []);
        assert_eq!(judge(of(1_600, "2025-11-30"), before), [(Gate::AmountChange, true)], "cents read as euros are seen");
        assert_eq!(judge(of(10, "2025-11-30"), before), [(Gate::AmountChange, true)]);
        assert_eq!(judge(of(1_000, "2025-10-31"), before), [(Gate::Freshness, false)]);
        assert_eq!(judge(of(5, "2025-11-30"), Some(of(0, "2025-10-31"))), []);
        assert!(Gate::ALL.into_iter().all(|gate| Gate::from_name(gate.name()) == Some(gate)));
    }
}
