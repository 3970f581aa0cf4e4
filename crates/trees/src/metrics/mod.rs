//! What a model is worth: ranking, alert thresholds, probabilities, intervals by company, lead time.
//!
//! Everything starts from a [`Ranked`]: the scored rows sorted once. All metrics accept repeated rows (counts), which is
//! how [`bootstrap_by_group`] draws companies without copying or sorting again. Definitions are those of scikit-learn
//! where it has one; rows of equal scores are never split by a threshold.

mod bootstrap;
mod lead_time;
mod probability;
mod ranking;
mod threshold;

pub use bootstrap::{Bootstrap, Interval, bootstrap_by_group, difference_by_group};
pub use lead_time::{LeadBand, LeadTime, Sighting, lead_time};
pub use probability::{Bins, ReliabilityBin};
pub use ranking::{Ranked, Scored};
pub use threshold::{Confusion, OperatingPoint, TopShare, f_beta};

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: [f64; 15] = [0.1, 0.4, 0.35, 0.8, 0.4, 0.4, 0.05, 0.9, 0.8, 0.1, 0.6, 0.6, 0.6, 0.2, 0.05];
    const OUTCOMES: [u8; 15] = [0, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0];

    fn ranked() -> Ranked {
        Ranked::from_parts(&SCORES, &OUTCOMES.map(|outcome| outcome == 1)).unwrap()
    }

    fn close(value: Option<f64>, expected: f64) {
        assert!(value.is_some_and(|value| (value - expected).abs() < 1e-14), "{value:?} {expected}");
    }

    // The constants come from scikit-learn 1.9.1.

    #[test]
    fn metrics_with_ties_are_those_of_scikit_learn() {
        close(ranked().auc(), 0.8055555555555556);
        close(ranked().average_precision(), 0.6925925925925926);
        close(ranked().brier(), 0.16916666666666666);
        close(ranked().log_loss(), 0.49333994894147);
    }

    #[test]
    fn the_areas_under_thinned_curves_are_those_of_the_metrics() {
        let rows: Vec<Scored> = (0..5_000u32)
            .map(|row| {
                let score = f64::from(row * 7_919 % 5_003) / 5_003.0;
                Scored { score, positive: f64::from(row * 104_729 % 1_009) / 1_009.0 < score * score / 2.0 }
            })
            .collect();
        let ranked = Ranked::new(&rows).unwrap();
        let area =
            |curve: &[(f64, f64)]| curve.windows(2).map(|pair| (pair[1].0 - pair[0].0) * f64::midpoint(pair[0].1, pair[1].1)).sum::<f64>();
        let (roc, precision_recall) = (ranked.roc(200), ranked.precision_recall(200));
        assert!(roc.len() < 420 && (area(&roc) - ranked.auc().unwrap()).abs() < 0.005);
        assert!(precision_recall.len() < 420 && (area(&precision_recall) - ranked.average_precision().unwrap()).abs() < 0.02);
        assert_eq!(
            (roc.first(), roc.last(), precision_recall.last().map(|point| point.0)),
            (Some(&(0.0, 0.0)), Some(&(1.0, 1.0)), Some(1.0))
        );
    }

    #[test]
    fn repeated_rows_count_as_weights() {
        let counts = [2, 1, 3, 1, 2, 0, 1, 2, 1, 1, 3, 1, 2, 1, 1];
        let mut ranked = ranked();
        ranked.recount(|row| counts[row]);
        close(ranked.auc(), 0.8099173553719008);
        close(ranked.average_precision(), 0.8011363636363638);
        close(ranked.brier(), 0.1673863636363636);
        close(ranked.log_loss(), 0.49261255807385745);
    }

    #[test]
    fn best_thresholds_are_those_of_scikit_learn() {
        let (high, moderate) = (ranked().best_threshold(0.5).unwrap(), ranked().best_threshold(2.0).unwrap());
        assert_eq!((high.threshold, high.f_beta), (0.6, 0.6666666666666666));
        assert_eq!((moderate.threshold, moderate.confusion.precision(), moderate.confusion.recall()), (0.35, 0.6, 1.0));
        close(Some(moderate.f_beta), 0.8823529411764706);
        close(Some(ranked().at_threshold(0.6).balanced_accuracy()), 0.7222222222222222);
    }

    #[test]
    fn undefined_metrics_are_absent_and_nan_is_refused() {
        let one_class = Ranked::from_parts(&[0.2, 0.3], &[false, false]).unwrap();
        assert_eq!((one_class.auc(), one_class.average_precision(), one_class.best_threshold(1.0)), (None, None, None));
        assert_eq!(one_class.precision_recall_at_top(0.5), None);
        assert!(Ranked::from_parts(&[0.2, f64::NAN], &[false, true]).is_err());
        assert!(Ranked::from_parts(&[0.2], &[]).is_err());
        let zeros = Ranked::from_parts(&[0.0, -0.0], &[true, false]).unwrap();
        assert_eq!(zeros.auc(), Some(0.5), "minus zero is zero");
    }
}
