//! What a judgment announced in BODACC, the official bulletin, says of a collective proceeding.
//!
//! The bulletin names each judgment by a *nature* in words: about sixty, some of them written in UTF-8 encoded twice. Rules
//! on words, rather than a list, also read the natures to come; what no rule reads is kept without a stage and counted.

use std::collections::BTreeSet;

use crate::procol::{ProcolAction, ProcolStage};
use crate::records::{Notice, ProcolEvent};

/// What a nature announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgment {
    /// A step of a proceeding.
    Step(ProcolAction, ProcolStage),
    /// Something that changes no proceeding of the company: a list of debts, a sanction of its manager, a date moved.
    NoStep,
    /// No rule reads it.
    Unknown,
}

/// Natures that change nothing, by a part of their words.
const NO_STEP: [&str; 14] = [
    "creances",
    "collocation",
    "interdiction de gerer",
    "faillite personnelle",
    "banqueroute",
    "cessation des paiements",
    "periode d'observation",
    "modifiant le plan",
    "modification du plan",
    "plan de cession",
    "poursuite d'activite",
    "conciliation",
    "retablissement professionnel",
    "remplacement",
];

/// Reads a nature; when it is empty, the family.
pub fn judgment(family: &str, nature: &str) -> Judgment {
    let text = fold(if nature.trim().is_empty() { family } else { nature });
    let has = |part: &str| text.contains(part);
    // The resolution of a plan is told before the list: that of a plan of cession is no plan adopted.
    if has("resolution") {
        return match named_after(&text, " et l") {
            Some(action) => Judgment::Step(action, ProcolStage::Ouverture),
            None => step(named(&text), ProcolStage::FinProcedure),
        };
    }
    if NO_STEP.iter().any(|part| has(part)) {
        return Judgment::NoStep;
    }
    if has("clotur") {
        let stage = if has("insuffisance d'actif") { ProcolStage::ClotureInsuffisanceActif } else { ProcolStage::FinProcedure };
        return Judgment::Step(named(&text).unwrap_or(ProcolAction::Liquidation), stage);
    }
    if has("conversion") || has("convertissant") {
        return step(named_after(&text, " en "), ProcolStage::Ouverture);
    }
    if let Some(action) = named_after(&text, "ouvrant") {
        return Judgment::Step(action, ProcolStage::Ouverture);
    }
    if has("mettant fin") || has("execution du plan") {
        return step(named(&text), ProcolStage::FinProcedure);
    }
    if has("plan") {
        let action = if has("sauvegarde") { ProcolAction::Sauvegarde } else { ProcolAction::Redressement };
        return Judgment::Step(action, ProcolStage::PlanContinuation);
    }
    if ["ouverture", "extension", "reprise", "prononcant"].iter().any(|part| has(part)) {
        return step(named(&text), ProcolStage::Ouverture);
    }
    Judgment::Unknown
}

/// The events that notices announce: those that a later notice cancels or corrects are left out.
pub fn events(notices: &[Notice]) -> Vec<ProcolEvent> {
    let replaced: BTreeSet<&str> = notices.iter().map(|notice| notice.replaces.as_str()).filter(|id| !id.is_empty()).collect();
    let stands = |notice: &&Notice| !notice.cancels && !replaced.contains(notice.id.as_str());
    notices
        .iter()
        .filter(stands)
        .map(|notice| ProcolEvent {
            siren: notice.siren,
            siret: None,
            effective: notice.effective,
            action: notice.action,
            stage: notice.stage,
            label: notice.nature.clone(),
        })
        .collect()
}

fn step(action: Option<ProcolAction>, stage: ProcolStage) -> Judgment {
    action.map_or(Judgment::Unknown, |action| Judgment::Step(action, stage))
}

/// The proceeding that a text names, the most severe of several. A way out of the crisis (traitement de sortie de crise) is
/// a short reorganisation.
fn named(text: &str) -> Option<ProcolAction> {
    let found = ProcolAction::ALL.into_iter().rev().find(|action| text.contains(action.name()));
    found.or_else(|| (text.contains("sortie de crise") || text.contains("continuation")).then_some(ProcolAction::Redressement))
}

/// The first proceeding named after some words.
fn named_after(text: &str, words: &str) -> Option<ProcolAction> {
    let rest = &text[text.find(words)? + words.len()..];
    ProcolAction::ALL.into_iter().filter_map(|action| rest.find(action.name()).map(|at| (at, action))).min().map(|(_, action)| action)
}

/// Lower case, without accents, typographic apostrophes made plain; UTF-8 encoded twice is read back first.
fn fold(text: &str) -> String {
    let twice: Option<Vec<u8>> = text.contains('Ã').then(|| text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()).flatten();
    let repaired = twice.and_then(|bytes| String::from_utf8(bytes).ok());
    let plain = |c: char| match c {
        'à' | 'â' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'î' | 'ï' => 'i',
        'ô' => 'o',
        'ù' | 'û' => 'u',
        'ç' => 'c',
        '’' => '\'',
        other => other,
    };
    repaired.as_deref().unwrap_or(text).to_lowercase().chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use {ProcolAction as A, ProcolStage as S};

    #[test]
    fn natures_of_the_bulletin() {
        for (nature, expected) in [
            ("Jugement d'ouverture de liquidation judiciaire", Judgment::Step(A::Liquidation, S::Ouverture)),
            ("Jugement d'ouverture d'une procédure de redressement judiciaire", Judgment::Step(A::Redressement, S::Ouverture)),
            ("Jugement d’ouverture d’une procédure de sauvegarde accélérée", Judgment::Step(A::Sauvegarde, S::Ouverture)),
            ("Jugement prononçant la liquidation judiciaire", Judgment::Step(A::Liquidation, S::Ouverture)),
            ("Jugement d'extension de liquidation judiciaire", Judgment::Step(A::Liquidation, S::Ouverture)),
            ("Jugement de reprise de la procédure de liquidation judiciaire", Judgment::Step(A::Liquidation, S::Ouverture)),
            ("Jugement de conversion en liquidation judiciaire", Judgment::Step(A::Liquidation, S::Ouverture)),
            ("Jugement de conversion en redressement judiciaire", Judgment::Step(A::Redressement, S::Ouverture)),
            (
                "Jugement de conversion en redressement judiciaire de la procédure de sauvegarde",
                Judgment::Step(A::Redressement, S::Ouverture),
            ),
            ("Jugement de conversion du redressement en liquidation judiciaire", Judgment::Step(A::Liquidation, S::Ouverture)),
            (
                "Jugement prononçant la résolution du plan de redressement et la liquidation judiciaire",
                Judgment::Step(A::Liquidation, S::Ouverture),
            ),
            (
                "Jugement prononÃ§ant la rÃ©solution du plan de redressement et la liquidation judiciaire",
                Judgment::Step(A::Liquidation, S::Ouverture),
            ),
            (
                "Jugement prononçant la résolution du plan de sauvegarde et le redressement judiciaire",
                Judgment::Step(A::Redressement, S::Ouverture),
            ),
            (
                "Jugement prononçant la résolution du plan de cession et la liquidation judiciaire",
                Judgment::Step(A::Liquidation, S::Ouverture),
            ),
            ("Jugement prononçant la résolution du plan de redressement", Judgment::Step(A::Redressement, S::FinProcedure)),
            (
                "Jugement mettant fin à la procédure de traitement de sortie de crise et ouvrant une procédure de redressement judiciaire",
                Judgment::Step(A::Redressement, S::Ouverture),
            ),
            ("Jugement mettant fin à la procédure de redressement judiciaire", Judgment::Step(A::Redressement, S::FinProcedure)),
            ("Jugement arrêtant le plan de sauvegarde", Judgment::Step(A::Sauvegarde, S::PlanContinuation)),
            ("Jugement de plan de redressement", Judgment::Step(A::Redressement, S::PlanContinuation)),
            ("Jugement arrêtant le plan de continuation", Judgment::Step(A::Redressement, S::PlanContinuation)),
            ("Jugement de clôture pour insuffisance d'actif", Judgment::Step(A::Liquidation, S::ClotureInsuffisanceActif)),
            ("Jugement de clôture pour extinction du passif", Judgment::Step(A::Liquidation, S::FinProcedure)),
            ("Jugement de clôture de la procédure de sauvegarde", Judgment::Step(A::Sauvegarde, S::FinProcedure)),
            ("Jugement modifiant le plan de redressement", Judgment::NoStep),
            ("Jugement arrêtant un plan de cession", Judgment::NoStep),
            ("Dépôt de l'état des créances", Judgment::NoStep),
            ("Liste des créances nées après le jugement d'ouverture d'une procédure de liquidation judiciaire", Judgment::NoStep),
            ("Jugement d'interdiction de gérer", Judgment::NoStep),
            ("Autre jugement et ordonnance", Judgment::Unknown),
            ("", Judgment::Unknown),
        ] {
            assert_eq!(judgment("", nature), expected, "{nature}");
        }
        assert_eq!(judgment("Jugement de clôture", " "), Judgment::Step(A::Liquidation, S::FinProcedure));
    }

    #[test]
    fn a_cancelled_notice_announces_nothing() {
        let notice = |id: &str, replaces: &str, cancels| Notice {
            id: id.into(),
            siren: "732829320".parse().unwrap(),
            published: crate::dates::parse_iso(b"2020-02-01").unwrap(),
            effective: crate::dates::parse_iso(b"2020-01-15").unwrap(),
            action: Some(A::Redressement),
            stage: S::Ouverture,
            family: "".into(),
            nature: "".into(),
            replaces: replaces.into(),
            cancels,
        };
        assert_eq!(events(&[notice("A1", "", false), notice("A2", "", false)]).len(), 2);
        assert_eq!(events(&[notice("A1", "", false), notice("A2", "A1", true)]).len(), 0);
        assert_eq!(events(&[notice("A1", "", false), notice("A2", "A1", false)]).len(), 1, "a correction stands in its place");
    }
}
