//! The contributions of features that a caller may see. Those that they may not are folded into one of their group, so that the
//! features of a group still add up to it, and nothing of a single one can be worked out.

use std::sync::Arc;

use api::scoring::{FeatureContribution, GroupContribution, Score, ScoreExplanation};
use panel::Catalogue;
use service_kit::auth::{Principal, Right, Rights};

use crate::access::{explains, right_of};
use crate::champion::{Champion, Explanation};
use crate::error::ScoringError;
use crate::reasons::shown;

/// Name and label of what is folded.
const FOLDED: (&str, &str) = ("confidential", "Éléments non communiqués");

/// Explains a vector to a caller with these rights. `describe` makes the score that goes with it.
pub async fn explain(
    champion: &Arc<Champion>,
    values: Vec<f32>,
    rights: Rights,
    describe: impl FnOnce(&Explanation) -> Score,
) -> Result<ScoreExplanation, ScoringError> {
    let model = champion.clone();
    let explained = tokio::task::spawn_blocking(move || model.explain(&values).map(|explained| (explained, values)));
    let (explained, values) = explained.await.map_err(|error| ScoringError::Task(error.to_string()))??;
    let explanation = explained.into_iter().next().ok_or_else(|| ScoringError::Task("a row was lost".to_owned()))?;
    let catalogue = champion.catalogue();
    let groups = catalogue.groups().iter().zip(&explanation.groups).map(|(group, share)| GroupContribution {
        group: group.name.clone(),
        label_fr: group.label_fr.clone(),
        log_odds: share.log_odds,
        percentage_points: share.points,
    });
    Ok(ScoreExplanation {
        score: Some(describe(&explanation)),
        base_value: explanation.base,
        raw_score: explanation.scored.raw,
        groups: groups.collect(),
        features: features(catalogue, &explanation.features, &values, rights),
        reasons: shown(&explanation.reasons, rights).map(|reason| reason.text.clone()).collect(),
        base_percentage_points: explanation.base_points,
    })
}

/// Replaces features of a vector. Each needs the right to see it: the value that leaves a score where it was would be the
/// company's own.
pub fn replace<'a>(
    catalogue: &Catalogue,
    values: &mut [f32],
    features: impl IntoIterator<Item = (&'a String, &'a f64)>,
    principal: &Principal,
) -> Result<(), ScoringError> {
    for (name, value) in features {
        let position = catalogue.index_of(name).ok_or_else(|| ScoringError::UnknownFeature(name.clone()))?;
        if let Some(right) = right_of(&catalogue.features()[position]) {
            principal.require(right, &format!("the feature '{name}'"))?;
        }
        values[position] = *value as f32;
    }
    Ok(())
}

/// The contributions, in log-odds, of the features of a vector. A group that hides one feature only is folded whole: the
/// others, taken from its total, would tell the hidden one.
pub fn features(catalogue: &Catalogue, log_odds: &[f64], values: &[f32], rights: Rights) -> Vec<FeatureContribution> {
    let all = || catalogue.features().iter().zip(log_odds).zip(values);
    let mut shown = Vec::new();
    for group in catalogue.groups() {
        let of_group = || all().filter(|((feature, _), _)| feature.group == group.name);
        let hidden = of_group().filter(|((feature, _), _)| !explains(rights, right_of(feature))).count();
        let visible = |right: Option<Right>| explains(rights, right) && hidden != 1;
        shown.extend(of_group().filter(|((feature, _), _)| visible(right_of(feature))).map(|((feature, &log_odds), &value)| {
            FeatureContribution {
                feature: feature.name.clone(),
                label_fr: feature.label_fr.clone(),
                group: feature.group.clone(),
                value: value.into(),
                log_odds,
            }
        }));
        if hidden > 0 {
            let folded = of_group().filter(|((feature, _), _)| !visible(right_of(feature)));
            shown.push(FeatureContribution {
                feature: FOLDED.0.to_owned(),
                label_fr: FOLDED.1.to_owned(),
                group: group.name.clone(),
                value: f64::NAN,
                log_odds: folded.map(|((_, log_odds), _)| *log_odds).sum(),
            });
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_replaced_by_who_may_see_it() {
        let catalogue = Catalogue::builtin().unwrap();
        let principal = Principal { rights: [Right::ServiceScore].into_iter().collect(), ..Principal::local() };
        let replaced = |name: &str, principal: &Principal| {
            let mut values = vec![0.0; catalogue.features().len()];
            replace(&catalogue, &mut values, [(&name.to_owned(), &3.0)], principal).map(|()| values.iter().sum::<f32>())
        };
        assert_eq!(replaced("headcount", &principal).unwrap(), 3.0);
        assert!(matches!(replaced("social_debt", &principal), Err(ScoringError::Service(_))), "debts need their right");
        assert_eq!(replaced("social_debt", &Principal::local()).unwrap(), 3.0);
        assert!(matches!(replaced("debt", &principal), Err(ScoringError::UnknownFeature(_))));
    }

    #[test]
    fn groups_add_up_whoever_asks_and_hidden_values_change_nothing() {
        let catalogue = Catalogue::builtin().unwrap();
        let width = catalogue.features().len();
        let log_odds: Vec<f64> = (0..width).map(|feature| (feature as f64 * 0.7).sin()).collect();
        let values: Vec<f32> = (0..width).map(|feature| feature as f32).collect();
        let sum =
            |shown: &[FeatureContribution], group: &str| shown.iter().filter(|it| it.group == group).map(|it| it.log_odds).sum::<f64>();
        let all = features(&catalogue, &log_odds, &values, Right::ALL.into_iter().collect());
        assert_eq!(all.len(), width);
        for rights in [vec![], vec![Right::Explain], vec![Right::Explain, Right::Urssaf], vec![Right::Explain, Right::Dgefp, Right::Bdf]] {
            let rights: Rights = rights.into_iter().collect();
            let shown = features(&catalogue, &log_odds, &values, rights);
            for group in catalogue.groups() {
                assert!((sum(&shown, &group.name) - sum(&all, &group.name)).abs() < 1e-9, "{} {rights:?}", group.name);
            }
            let other: Vec<f32> = catalogue
                .features()
                .iter()
                .zip(&values)
                .map(|(feature, value)| {
                    let open = explains(rights, right_of(feature));
                    if open { *value } else { -1.0 }
                })
                .collect();
            let key = |shown: Vec<FeatureContribution>| {
                shown.into_iter().map(|it| (it.feature, it.value.to_bits(), it.log_odds.to_bits())).collect::<Vec<_>>()
            };
            assert_eq!(key(features(&catalogue, &log_odds, &other, rights)), key(shown), "{rights:?}");
        }
        let none = features(&catalogue, &log_odds, &values, Rights::NONE);
        assert!(none.iter().all(|it| it.feature == FOLDED.0), "without the right to explanations nothing but groups");
    }
}
