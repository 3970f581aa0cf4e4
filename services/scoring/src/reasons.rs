//! Why a company is signalled, in French: the strongest features that raise its risk, with their values.
//!
//! A reason tells the value of a feature, which not everybody may see. So the strongest are kept for each right that one may
//! need, and each reader is shown the strongest of those that are theirs to see ([`shown`]).

use service_kit::auth::{Right, Rights};

use crate::access::explains;
use crate::list::entry::Reason;

/// A feature's part in a score.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    /// French label of the feature.
    pub label: &'a str,
    /// Unit of the catalogue.
    pub unit: &'a str,
    /// What the value of a category stands for.
    pub category: Option<String>,
    /// Value, NaN when unknown.
    pub value: f32,
    /// Contribution in log-odds.
    pub log_odds: f64,
    /// The right that the feature needs, beyond those of explanations.
    pub right: Option<Right>,
}

/// Reasons shown at most.
pub const MOST: usize = 3;
/// Below this many log-odds a feature is no reason: alone it moves a mean risk by less than a twentieth of itself.
const LEAST: f64 = 0.05;

/// The strongest reasons first, [`MOST`] for each right. Features that lower the risk are no reasons; of two features with the
/// same text, one stays.
pub fn reasons<'a>(parts: impl Iterator<Item = Part<'a>>) -> Vec<Reason> {
    let mut raising: Vec<Part<'_>> = parts.filter(|part| part.log_odds >= LEAST).collect();
    raising.sort_by(|a, b| b.log_odds.total_cmp(&a.log_odds).then_with(|| a.label.cmp(b.label)));
    let mut kept: Vec<Reason> = Vec::new();
    for part in raising {
        if kept.iter().filter(|reason| reason.right == part.right).count() == MOST {
            continue;
        }
        let reason = Reason { text: text(&part), right: part.right };
        if !kept.contains(&reason) {
            kept.push(reason);
        }
    }
    kept
}

/// Those that a reader with these rights is shown: the same as if no other feature had been kept.
pub fn shown(reasons: &[Reason], rights: Rights) -> impl Iterator<Item = &Reason> {
    reasons.iter().filter(move |reason| explains(rights, reason.right)).take(MOST)
}

fn text(part: &Part<'_>) -> String {
    if part.value.is_nan() {
        return format!("{} : non connu", part.label);
    }
    let value = f64::from(part.value);
    match part.unit {
        "euros" => format!("{} : {} €", part.label, grouped(value.round())),
        "employees" => format!("{} : {}", part.label, grouped(value.round())),
        "months" => format!("{} : {} mois", part.label, grouped(value.round())),
        "days" => format!("{} : {} jours", part.label, grouped(value.round())),
        "hours" => format!("{} : {} h", part.label, grouped(value.round())),
        "percent" => format!("{} : {} %", part.label, decimal(value)),
        "category" => part.category.as_ref().map_or_else(|| part.label.to_owned(), |category| format!("{} : {category}", part.label)),
        "flag" => part.label.to_owned(),
        "share" => format!("{} : {} %", part.label, decimal(value * 100.0)),
        _ => format!("{} : {}", part.label, decimal(value)),
    }
}

/// A whole number with thin groups of three digits, as French typography wants.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn decimal(value: f64) -> String {
    format!("{value:.1}").replace('.', ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(label: &'static str, unit: &'static str, value: f32, log_odds: f64) -> Part<'static> {
        let category = (unit == "category").then(|| "Rhône (69)".to_owned());
        Part { label, unit, category, value, log_odds, right: None }
    }

    fn texts(reasons: &[Reason]) -> Vec<&str> {
        reasons.iter().map(|reason| reason.text.as_str()).collect()
    }

    #[test]
    fn each_reader_is_shown_the_strongest_of_what_they_may_see() {
        let owed = |label, log_odds| Part { right: Some(Right::Urssaf), ..part(label, "flag", 1.0, log_odds) };
        let parts =
            [owed("A", 0.9), owed("B", 0.8), owed("C", 0.7), owed("D", 0.6), part("E", "flag", 1.0, 0.5), part("F", "flag", 1.0, 0.1)];
        let kept = reasons(parts.into_iter());
        assert_eq!(texts(&kept), ["A", "B", "C", "E", "F"]);
        let shown = |rights: &[Right]| shown(&kept, rights.iter().copied().collect()).map(|reason| reason.text.clone()).collect::<Vec<_>>();
        assert_eq!(shown(&[Right::Explain, Right::Urssaf]), ["A", "B", "C"]);
        assert_eq!(shown(&[Right::Explain]), ["E", "F"]);
        assert_eq!(shown(&[Right::Urssaf, Right::Score]), Vec::<String>::new());
    }

    #[test]
    fn the_strongest_raising_features_are_named_once() {
        let parts = [
            part("Effectif", "employees", 12.0, -0.4),
            part("Part patronale de la dette", "euros", 12_345.4, 0.9),
            part("Délai de paiement en cours", "flag", 1.0, 0.2),
            part("Autonomie financière", "percent", -3.25, 0.5),
            part("Délai de paiement en cours", "flag", 1.0, 0.1),
            part("Âge", "months", 20.0, 0.01),
        ];
        let expected = ["Part patronale de la dette : 12\u{202f}345 €", "Autonomie financière : -3,2 %", "Délai de paiement en cours"];
        assert_eq!(texts(&reasons(parts.into_iter())), expected);
    }

    #[test]
    fn unknown_values_and_categories_can_be_reasons() {
        let one = |part: Part<'_>| reasons([part].into_iter())[0].text.clone();
        assert_eq!(one(part("Comptes", "percent", f32::NAN, 0.3)), "Comptes : non connu");
        assert_eq!(one(part("Département", "category", 69.0, 0.3)), "Département : Rhône (69)");
        assert_eq!(grouped(-1_234_567.0), "-1\u{202f}234\u{202f}567");
    }
}
