//! `sf feedback`: ratings of detections, and the file that training reads.

use std::fmt::Write as _;

use api::feedback::{ExportFeedbackRequest, ListRatingReasonsRequest, RateDetectionRequest, Rating};
use domain::Month;
use serde_json::json;

use super::Session;
use crate::args::Feedback;
use crate::failure::Failure;
use crate::output::{Output, count};

pub async fn feedback(session: &Session, verb: Feedback) -> Result<(), Failure> {
    let mut client = session.clients.feedback();
    match verb {
        Feedback::Rate { siren, useful, useless: _, reasons, comment } => {
            let request = RateDetectionRequest { siren: siren.to_string(), useful, reasons, comment };
            let rating = client.rate_detection(request).await?.into_inner();
            let row = vec![
                rating.siren.clone(),
                rating.list_id.clone(),
                if rating.useful { "oui" } else { "non" }.to_owned(),
                rating.reasons.join(", "),
            ];
            let json = json!({ "siren": rating.siren, "list": rating.list_id, "useful": rating.useful, "reasons": rating.reasons });
            Output::new(&["siren", "liste", "utile", "raisons"], vec![row], json).print(session.format)
        }
        Feedback::Reasons => {
            let reasons = client.list_rating_reasons(ListRatingReasonsRequest {}).await?.into_inner().reasons;
            let rows = reasons.iter().map(|reason| vec![reason.code.clone(), reason.label_fr.clone()]).collect();
            let json = reasons.iter().map(|reason| json!({ "code": reason.code, "label_fr": reason.label_fr })).collect();
            Output::new(&["code", "raison"], rows, json).print(session.format)
        }
        Feedback::Export { out, lists, useless_weight, months } => {
            let request = ExportFeedbackRequest { lists: lists.iter().map(ToString::to_string).collect() };
            let mut stream = client.export_feedback(request).await?.into_inner();
            let mut ratings: Vec<Rating> = Vec::new();
            while let Some(response) = stream.message().await? {
                ratings.extend(response.ratings);
            }
            let text = csv(&ratings, useless_weight, months);
            std::fs::write(&out, &text)?;
            let (rows, all) = (text.lines().count() - 1, ratings.len());
            let row = vec![out.display().to_string(), count(rows as u64), count(all as u64)];
            let json = json!({ "file": out, "rows": rows, "ratings": all });
            Output::new(&["file", "#rows", "#ratings"], vec![row], json).print(session.format)
        }
    }
}

/// The companies whose detections were useless for most of those who rated them, with the months that count less.
fn csv(ratings: &[Rating], weight: f32, months: i32) -> String {
    let mut votes: std::collections::BTreeMap<(&str, &str), i64> = std::collections::BTreeMap::new();
    for rating in ratings {
        *votes.entry((&rating.siren, &rating.month)).or_default() += if rating.useful { 1 } else { -1 };
    }
    let mut text = String::from("siren,from,to,weight\n");
    for ((siren, month), votes) in votes {
        let Ok(to) = month.parse::<Month>() else { continue };
        if votes < 0 {
            let _infallible = writeln!(text, "{siren},{},{to},{weight}", to.plus(1 - months));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_the_ratings_decide() {
        let rating = |siren: &str, useful| Rating { siren: siren.into(), month: "2025-10".into(), useful, ..Rating::default() };
        let ratings = [rating("1", false), rating("2", true), rating("3", true), rating("3", false), rating("3", false)];
        assert_eq!(csv(&ratings, 0.5, 12), "siren,from,to,weight\n1,2024-11,2025-10,0.5\n3,2024-11,2025-10,0.5\n");
    }
}
