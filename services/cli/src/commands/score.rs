//! `sf score`: scores of companies, explanations, the list of a batch.

use api::common::AlertLevel;
use api::lists::{BuildListRequest, DetectionList};
use api::scoring::{BatchScoreCompaniesRequest, ExplainScoreRequest, Score, ScoreExplanation, score_result};
use domain::{BatchKey, Siren};
use serde_json::{Value, json};
use service_kit::error::{ErrorCode, ServiceError};

use super::{Session, lists};
use crate::args::Score as Arguments;
use crate::failure::Failure;
use crate::job;
use crate::output::{Output, number};

pub async fn score(session: &Session, arguments: Arguments) -> Result<(), Failure> {
    if let Some(batch) = arguments.batch {
        return lists::described(&[build(session, batch, false).await?]).print(session.format);
    }
    if arguments.explain {
        return explain(session, &arguments.sirens).await;
    }
    let request = BatchScoreCompaniesRequest { sirens: arguments.sirens.iter().map(ToString::to_string).collect() };
    let results = session.clients.scoring().batch_score_companies(request).await?.into_inner().results;
    let (mut rows, mut documents, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for result in results {
        match result.result {
            Some(score_result::Result::Score(score)) => {
                rows.push(row(&score));
                documents.push(document(&score));
            }
            Some(score_result::Result::Error(error)) => {
                let code = ErrorCode::ALL.iter().copied().find(|code| code.as_str() == error.code).unwrap_or(ErrorCode::Internal);
                documents.push(json!({ "siren": result.siren, "error": { "code": error.code, "message": error.message } }));
                errors.push(ServiceError::new(code, error.message).with("siren", result.siren));
            }
            None => {}
        }
    }
    Output::new(&HEADER, rows, Value::Array(documents)).print(session.format)?;
    if errors.is_empty() { Ok(()) } else { Err(Failure::several(errors)) }
}

const HEADER: [&str; 7] = ["siren", "#probabilité", "intervalle", "niveau", "mois", "lot", "modèle"];

fn row(score: &Score) -> Vec<String> {
    vec![
        score.siren.clone(),
        if score.out_of_scope_reason.is_empty() { percent(score.probability) } else { "–".to_owned() },
        if score.out_of_scope_reason.is_empty() { interval(score) } else { "–".to_owned() },
        level_fr(score.alert_level, &score.out_of_scope_reason),
        score.month.clone(),
        score.batch.clone(),
        score.model_id.clone(),
    ]
}

fn document(score: &Score) -> Value {
    json!({
        "siren": score.siren, "probability": score.probability, "alert_level": level_name(score.alert_level),
        "moderate_threshold": score.moderate_threshold, "high_threshold": score.high_threshold, "model_id": score.model_id,
        "month": score.month, "batch": score.batch, "stale": score.stale, "out_of_scope_reason": score.out_of_scope_reason,
        "probability_low": score.probability_low, "probability_high": score.probability_high, "too_little_data": score.too_little_data,
    })
}

/// How sure a probability is, for a person.
fn interval(score: &Score) -> String {
    let doubt = if score.too_little_data { " (trop peu de données)" } else { "" };
    format!("{} à {}{doubt}", percent(score.probability_low), percent(score.probability_high))
}

/// A probability for a person.
pub fn percent(probability: f64) -> String {
    format!("{} %", number(100.0 * probability, 1).replace('.', ","))
}

/// A level for a program.
pub fn level_name(level: i32) -> &'static str {
    match AlertLevel::try_from(level) {
        Ok(AlertLevel::None) => "none",
        Ok(AlertLevel::Moderate) => "moderate",
        Ok(AlertLevel::High) => "high",
        Ok(AlertLevel::OutOfScope) => "out_of_scope",
        _ => "",
    }
}

/// A level for an agent, with the reason when the company is out of scope.
pub fn level_fr(level: i32, reason: &str) -> String {
    match AlertLevel::try_from(level) {
        Ok(AlertLevel::None) => domain::AlertLevel::None.label_fr().to_owned(),
        Ok(AlertLevel::Moderate) => domain::AlertLevel::Moderate.label_fr().to_owned(),
        Ok(AlertLevel::High) => domain::AlertLevel::High.label_fr().to_owned(),
        Ok(AlertLevel::OutOfScope) => {
            let why = match reason {
                "in_procedure" => "procédure collective en cours",
                "inactive" => "plus d'établissement ouvert",
                _ => "hors périmètre",
            };
            format!("non évaluée ({why})")
        }
        _ => "–".to_owned(),
    }
}

async fn explain(session: &Session, sirens: &[Siren]) -> Result<(), Failure> {
    let mut documents = Vec::new();
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for siren in sirens {
        let explained = session.clients.scoring().explain_score(ExplainScoreRequest { siren: siren.to_string() }).await?.into_inner();
        notes.extend(explained.score.as_ref().map(|score| {
            format!("{} : {} ({})", score.siren, percent(score.probability), level_fr(score.alert_level, &score.out_of_scope_reason))
        }));
        notes.extend(explained.reasons.iter().map(|reason| format!("  {reason}")));
        let points = |points: f64| format!("{points:+.1}").replace('.', ",");
        rows.push(vec![
            siren.to_string(),
            "niveau moyen".to_owned(),
            points(explained.base_percentage_points),
            number(explained.base_value, 3),
        ]);
        rows.extend(
            explained
                .groups
                .iter()
                .map(|group| vec![siren.to_string(), group.label_fr.clone(), points(group.percentage_points), number(group.log_odds, 3)]),
        );
        documents.push(explanation(&explained));
    }
    let mut output = Output::new(&["siren", "groupe", "#points", "#log-odds"], rows, Value::Array(documents));
    output.notes = notes;
    output.print(session.format)
}

fn explanation(explained: &ScoreExplanation) -> Value {
    let groups = explained.groups.iter().map(|group| {
        json!({ "group": group.group, "label_fr": group.label_fr, "log_odds": group.log_odds, "percentage_points": group.percentage_points })
    });
    let features = explained.features.iter().map(|feature| {
        json!({ "feature": feature.feature, "label_fr": feature.label_fr, "group": feature.group, "value": feature.value, "log_odds": feature.log_odds })
    });
    json!({
        "score": explained.score.as_ref().map(document), "base_value": explained.base_value, "raw_score": explained.raw_score,
        "base_percentage_points": explained.base_percentage_points, "groups": groups.collect::<Vec<_>>(),
        "features": features.collect::<Vec<_>>(), "reasons": explained.reasons,
    })
}

/// Builds the list of a batch.
pub async fn build(session: &Session, batch: BatchKey, publish: bool) -> Result<DetectionList, Failure> {
    let request = BuildListRequest { batch: batch.to_string(), publish };
    let client = session.clients.lists();
    let call = || {
        let (mut client, request) = (client.clone(), request.clone());
        async move { client.build_list(request).await }
    };
    job::run(&session.clients.scoring, &session.waiting, session.quiet, call).await
}
