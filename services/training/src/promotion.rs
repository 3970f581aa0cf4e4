//! Whether a model may become the champion: what its report, and the champion's, speak against. Pure.

use trees::metrics::Interval;

use crate::contest::Contest;
use crate::evaluate::Figure;
use crate::report::Report;
use crate::split::Protocol;

/// A calibration error beyond which percentages mislead.
const LEAST_CALIBRATED: f64 = 0.02;
/// The same as a share of the failures that there are: that of a model which says that nobody fails is 1, and so is that of one whose
/// probabilities are all twice the truth.
const LEAST_CALIBRATED_SHARE: f64 = 0.5;

/// What a challenger is compared with.
#[derive(Debug)]
pub enum Rival {
    /// The champion's scores of the rows that the challenger was tested on.
    OnTheSameRows(Contest),
    /// The champion's report, where those rows cannot be scored by it.
    ByItsReport(Box<Report>),
}

/// What speaks against promoting a model; nothing when it may be promoted.
pub fn doubts(challenger: &Report, champion: Option<&Rival>) -> Vec<String> {
    let mut doubts = Vec::new();
    if challenger.sections.first().is_none_or(|section| section.protocol == Protocol::Lenient) {
        doubts.push("it was not measured under an honest protocol".to_owned());
    }
    if let Some(ece) = challenger.figure(Figure::Ece).filter(|ece| ece.value > LEAST_CALIBRATED) {
        doubts.push(format!("its calibration error is {:.3}, above {LEAST_CALIBRATED}", ece.value));
    } else if let (Some(ece), Some(prevalence)) = (challenger.figure(Figure::Ece), challenger.figure(Figure::Prevalence))
        && ece.value > LEAST_CALIBRATED_SHARE * prevalence.value
    {
        doubts.push(format!(
            "its calibration error is {:.3}, with {:.3} of the rows failing: too large for them",
            ece.value, prevalence.value
        ));
    }
    if let Some(alarm) = challenger.alarms.first() {
        let more = challenger.alarms.len() - 1;
        let others = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        doubts.push(format!("its report raises an alarm: {}{others}", alarm.message));
    }
    doubts.extend(match champion {
        Some(Rival::OnTheSameRows(contest)) => behind(contest),
        Some(Rival::ByItsReport(report)) if comparable(challenger, report) => worse_figures(challenger, report),
        _ => Vec::new(),
    });
    doubts
}

/// What a challenger is behind in, on the same companies drawn.
fn behind(contest: &Contest) -> Vec<String> {
    let named = [("average precision", contest.average_precision), ("AUC", contest.auc)];
    let losing = named.into_iter().filter_map(|(name, lead)| Some((name, lead.filter(|lead| lead.high < 0.0)?)));
    let text = |(name, lead): (&str, Interval)| {
        format!(
            "on the same {} rows its {name} is {:+.3} [{:+.3}, {:+.3}] from that of the champion {}: worse beyond noise",
            contest.rows, lead.value, lead.low, lead.high, contest.champion
        )
    };
    losing.map(text).collect()
}

/// What the figures of two reports say, where the intervals of both tell them apart.
fn worse_figures(challenger: &Report, champion: &Report) -> Vec<String> {
    let pair = |figure| Some((challenger.figure(figure)?, champion.figure(figure)?));
    let named = [(Figure::AveragePrecision, "average precision"), (Figure::Auc, "AUC")];
    let losing = named.into_iter().filter_map(|(figure, name)| Some((name, pair(figure).filter(|(ours, theirs)| worse(ours, theirs))?)));
    let text = |(name, (ours, theirs)): (&str, (Interval, Interval))| {
        format!("its {name} is {:.3}, the champion's {:.3}: worse beyond noise", ours.value, theirs.value)
    };
    losing.map(text).collect()
}

/// Whether two reports measured about the same thing.
fn comparable(one: &Report, other: &Report) -> bool {
    let protocol = |report: &Report| report.sections.first().map(|section| section.protocol);
    protocol(one) == protocol(other)
}

/// Whether the upper end of an interval is below the value that it is compared with, and the lower end of that one above
/// ours: neither's noise explains the difference.
fn worse(ours: &Interval, theirs: &Interval) -> bool {
    ours.high < theirs.value && ours.value < theirs.low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::{Alarm, AlarmKind};
    use crate::study::tests::report;

    #[test]
    fn a_report_is_doubted_for_what_it_says() {
        let good = report(Protocol::Holdout, 0.85, 0.004);
        assert_eq!(doubts(&good, None), [""; 0]);
        assert_eq!(doubts(&report(Protocol::Lenient, 0.85, 0.004), None).len(), 1);
        assert_eq!(doubts(&report(Protocol::Holdout, 0.85, 0.03), None).len(), 1);
        // What a model that says that nobody fails would have: an error as large as the rate of failures.
        let mut rare = report(Protocol::Holdout, 0.85, 0.015);
        let rate = Interval { value: 0.018, low: 0.018, high: 0.018 };
        rare.sections[0].models[0].worth.figures.insert(Figure::Prevalence, rate);
        assert!(doubts(&rare, None)[0].contains("too large"), "{:?}", doubts(&rare, None));
        let mut alarmed = good;
        alarmed.alarms.push(Alarm { kind: AlarmKind::FeatureAlone, message: "leak".into() });
        assert!(doubts(&alarmed, None)[0].contains("leak"));
    }

    #[test]
    fn only_what_is_worse_beyond_noise_is_refused() {
        let champion = Rival::ByItsReport(Box::new(report(Protocol::Holdout, 0.85, 0.004)));
        assert_eq!(doubts(&report(Protocol::Holdout, 0.845, 0.004), Some(&champion)), [""; 0], "within the intervals of 0.01");
        let worse = doubts(&report(Protocol::Holdout, 0.80, 0.004), Some(&champion));
        assert_eq!(worse.len(), 2, "average precision and AUC: {worse:?}");
        assert_eq!(doubts(&report(Protocol::Disjoint, 0.80, 0.004), Some(&champion)), [""; 0], "another protocol says nothing of it");
    }

    #[test]
    fn what_the_same_rows_say_counts_more_than_two_reports() {
        let challenger = report(Protocol::Holdout, 0.85, 0.004);
        let lead = |value: f64| Some(Interval { value, low: value - 0.002, high: value + 0.002 });
        let contest =
            |average_precision, auc| Rival::OnTheSameRows(Contest { champion: "old".into(), rows: 9_000, average_precision, auc });
        assert_eq!(doubts(&challenger, Some(&contest(lead(-0.001), lead(0.004)))), [""; 0], "noise explains it");
        let behind = doubts(&challenger, Some(&contest(lead(-0.005), lead(0.0))));
        assert!(behind.len() == 1 && behind[0].contains("-0.005 [-0.007, -0.003]"), "{behind:?}");
        assert_eq!(doubts(&challenger, Some(&contest(None, None))), [""; 0], "nothing could be measured");
    }
}
