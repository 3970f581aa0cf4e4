//! Quality gates: when the rows of a source are too bad to replace what is there (`design.md` §3).

use serde::{Deserialize, Serialize};

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
}

impl Default for Gates {
    fn default() -> Self {
        Self { warn_rejected_share: 0.01, refuse_rejected_share: 0.10, refuse_row_loss: 0.20 }
    }
}

/// What a gate looks at.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Data lines read.
    pub lines: u64,
    /// Lines rejected.
    pub rejected: u64,
    /// Typed rows made.
    pub rows: u64,
    /// Rows of the latest earlier batch, if any.
    pub previous_rows: Option<u64>,
}

/// What the gates say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Commit.
    Pass,
    /// Commit, and say this.
    Warn(String),
    /// Do not commit, for this reason.
    Refuse(String),
}

impl Gates {
    /// Judges one source of a batch.
    pub fn judge(&self, measured: Measured) -> Verdict {
        let percent = |share: f64| share * 100.0;
        let share = if measured.lines == 0 { 0.0 } else { measured.rejected as f64 / measured.lines as f64 };
        if share > self.refuse_rejected_share {
            return Verdict::Refuse(format!(
                "{:.1} % of the lines are rejected; the limit is {:.1} %",
                percent(share),
                percent(self.refuse_rejected_share)
            ));
        }
        if measured.rows == 0 {
            return Verdict::Refuse("not one usable row".to_owned());
        }
        if let Some(previous) = measured.previous_rows.filter(|&rows| rows > 0) {
            let loss = 1.0 - measured.rows as f64 / previous as f64;
            if loss > self.refuse_row_loss {
                return Verdict::Refuse(format!(
                    "{} rows where the previous batch had {previous}: a loss of {:.1} %; the limit is {:.1} %",
                    measured.rows,
                    percent(loss),
                    percent(self.refuse_row_loss)
                ));
            }
        }
        if share > self.warn_rejected_share {
            return Verdict::Warn(format!("{:.1} % of the lines are rejected", percent(share)));
        }
        Verdict::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gate_has_its_threshold() {
        let judge = |lines, rejected, rows, previous_rows| Gates::default().judge(Measured { lines, rejected, rows, previous_rows });
        assert_eq!(judge(1_000, 10, 990, None), Verdict::Pass);
        assert!(matches!(judge(1_000, 11, 989, None), Verdict::Warn(_)));
        assert!(matches!(judge(1_000, 100, 900, None), Verdict::Warn(_)));
        assert!(matches!(judge(1_000, 101, 899, None), Verdict::Refuse(_)));
        assert_eq!(judge(800, 0, 800, Some(1_000)), Verdict::Pass);
        assert!(matches!(judge(799, 0, 799, Some(1_000)), Verdict::Refuse(_)));
        assert_eq!(judge(10, 0, 10, Some(0)), Verdict::Pass);
        assert!(matches!(judge(10, 0, 0, None), Verdict::Refuse(_)), "a source is never emptied silently");
        assert!(matches!(judge(0, 0, 0, None), Verdict::Refuse(_)));
    }
}
