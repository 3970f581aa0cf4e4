//! What makes figures hard to believe. A report with an alarm is not wrong for sure, but somebody must look before it is
//! acted upon: the usual cause is a feature that knows the future (`docs/decisions/0014-what-a-feature-may-not-read.md`).

use serde::{Deserialize, Serialize};
use trees::metrics::Interval;

use crate::effects::Effect;
use crate::split::Protocol;

/// No honest feature of a company ranks failures this well alone: the best published *models* reach 0.85.
const IMPLAUSIBLE_ALONE: f64 = 0.90;
/// A feature worth this much alone, and far more than every other feature but its own variants, is suspect.
const SUSPECT_ALONE: f64 = 0.80;
const FAR_APART: f64 = 0.10;
/// Share of the contributions (mean absolute SHAP values) that no single feature has when signals are many and weak. The gain would not
/// do: the first splits have most of it, and fall on any of several features that say the same.
const DOMINANT: f64 = 0.5;
/// What companies never seen may cost at most, in AUC, when nothing leaks between rows of a company.
const JUMP_DISJOINT: f64 = 0.05;
/// What mixing periods and counting companies already in a proceeding gains at most.
const JUMP_LENIENT: f64 = 0.15;

/// A reason not to believe a report as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// What kind.
    pub kind: AlarmKind,
    /// In words, with its figures.
    pub message: String,
}

/// Kinds of alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// A feature ranks failures too well alone.
    FeatureAlone,
    /// A feature makes most of the contributions.
    DominantFeature,
    /// Figures differ between protocols more than the protocols explain.
    ProtocolJump,
}

impl AlarmKind {
    /// Whether nothing honest explains it. A feature that decides nearly alone may be what the rows are about.
    pub const fn is_of_a_leak(self) -> bool {
        matches!(self, Self::FeatureAlone | Self::ProtocolJump)
    }
}

/// Alarms on the features of a model.
pub fn on_features(effects: &[Effect]) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    let mut alone: Vec<(f64, &str)> = effects.iter().filter_map(|effect| Some((effect.auc_alone?, effect.feature.as_str()))).collect();
    alone.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    for (auc, feature) in alone.iter().filter(|(auc, _)| *auc > IMPLAUSIBLE_ALONE) {
        let message =
            format!("'{feature}' alone has an AUC of {auc:.3}: implausible for a fact known in advance. Does it know the future?");
        alarms.push(Alarm { kind: AlarmKind::FeatureAlone, message });
    }
    if let Some((best, feature)) = alone.first().filter(|(auc, _)| (SUSPECT_ALONE..=IMPLAUSIBLE_ALONE).contains(auc)) {
        let next = alone.iter().find(|(_, other)| family(other) != family(feature)).map_or(0.5, |(auc, _)| *auc);
        if best - next > FAR_APART {
            let message = format!(
                "'{feature}' alone has an AUC of {best:.3}, the best other kind of feature {next:.3}: too far apart. Does it know the future?"
            );
            alarms.push(Alarm { kind: AlarmKind::FeatureAlone, message });
        }
    }
    let all: f64 = effects.iter().map(|effect| effect.contribution).sum();
    if let Some(effect) = effects.iter().find(|effect| effect.contribution > DOMINANT * all) {
        let message = format!(
            "'{}' makes {:.0} % of the contributions to scores: a model of one feature is a rule, or a leak.",
            effect.feature,
            100.0 * effect.contribution / all
        );
        alarms.push(Alarm { kind: AlarmKind::DominantFeature, message });
    }
    alarms
}

/// What variants of a measure have in common: their first word.
fn family(feature: &str) -> &str {
    feature.split('_').next().unwrap_or(feature)
}

/// Alarms on the AUC under another protocol, against the honest one.
pub fn between(honest: &Interval, other: Protocol, auc: &Interval) -> Option<Alarm> {
    let (limit, why) = match other {
        Protocol::Disjoint => (JUMP_DISJOINT, "rows of one company should not tell about another: the model may know companies by name"),
        Protocol::Lenient => (JUMP_LENIENT, "more than mixed periods and companies already in a proceeding explain"),
        Protocol::Holdout | Protocol::Rolling | Protocol::Given | Protocol::GivenByTime => return None,
    };
    let jump = match other {
        Protocol::Disjoint => honest.value - auc.value,
        _ => auc.value - honest.value,
    };
    (jump > limit).then(|| Alarm {
        kind: AlarmKind::ProtocolJump,
        message: format!(
            "AUC is {:.3} under the protocol {} and {:.3} under the honest one: {why}.",
            auc.value,
            other.name(),
            honest.value
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(feature: &str, contribution: f64, auc: f64) -> Effect {
        Effect { feature: feature.into(), gain: 0.6, contribution, direction: None, auc_alone: Some(auc), points: vec![] }
    }

    #[test]
    fn implausible_features_are_named_and_ordinary_ones_are_not() {
        let kinds = |effects: &[Effect]| on_features(effects).into_iter().map(|alarm| alarm.kind).collect::<Vec<_>>();
        assert_eq!(kinds(&[effect("debt_ratio", 0.3, 0.81), effect("debt_months", 0.2, 0.79), effect("headcount", 0.1, 0.74)]), []);
        assert_eq!(kinds(&[effect("debt_ratio", 0.3, 0.80), effect("state", 0.3, 0.93)]), [AlarmKind::FeatureAlone]);
        assert_eq!(
            kinds(&[effect("state_now", 0.3, 0.85), effect("state_then", 0.2, 0.84), effect("debt", 0.2, 0.70)]),
            [AlarmKind::FeatureAlone]
        );
        assert_eq!(kinds(&[effect("a", 0.6, 0.7), effect("b", 0.4, 0.7)]), [AlarmKind::DominantFeature]);
    }

    #[test]
    fn a_jump_between_protocols_is_an_alarm_only_beyond_what_they_explain() {
        let auc = |value| Interval { value, low: value - 0.01, high: value + 0.01 };
        assert_eq!(between(&auc(0.80), Protocol::Lenient, &auc(0.90)), None);
        assert!(between(&auc(0.80), Protocol::Lenient, &auc(0.97)).is_some());
        assert!(between(&auc(0.80), Protocol::Disjoint, &auc(0.70)).is_some());
        assert_eq!(between(&auc(0.80), Protocol::Disjoint, &auc(0.79)), None);
    }
}
