//! `sf companies`: sheets, search and follows, in French.

use api::companies::{
    BreakGlassRequest, Company, CompanySheet, Follow, FollowCompanyRequest, FollowOutcome, FollowReason, GetCompanyRequest,
    ListFollowsRequest, SearchCompaniesRequest, UnfollowCompanyRequest,
};
use serde_json::{Value, json};

use super::Session;
use super::audit::moment;
use super::score::{level_fr, level_name, percent};
use crate::args::{Companies, FollowOutcome as Outcome, FollowReason as Reason};
use crate::failure::Failure;
use crate::output::{Output, number};

pub async fn companies(session: &Session, verb: Companies) -> Result<(), Failure> {
    let mut client = session.clients.companies();
    match verb {
        Companies::Show { siren, from } => {
            let from_month = from.map(|month| month.to_string()).unwrap_or_default();
            sheet(&client.get_company(GetCompanyRequest { siren: siren.to_string(), from_month }).await?.into_inner()).print(session.format)
        }
        Companies::Search { query, limit } => {
            let found = client.search_companies(SearchCompaniesRequest { query, page_size: limit }).await?.into_inner();
            let shown = found.companies.len();
            let mut output = found_companies(&found.companies);
            if (found.total as usize) > shown {
                output = output.note(format!("{shown} sur {} : précisez la recherche.", found.total));
            }
            output.print(session.format)
        }
        Companies::Follow { siren, reason, comment } => {
            let reason = match reason {
                Reason::Detection => FollowReason::Detection,
                Reason::ExternalSource => FollowReason::ExternalSource,
                Reason::InternalSource => FollowReason::InternalSource,
                Reason::Other => FollowReason::Other,
            };
            let request = FollowCompanyRequest { siren: siren.to_string(), reason: reason.into(), comment };
            follows(&[client.follow_company(request).await?.into_inner()]).print(session.format)
        }
        Companies::Unfollow { siren, outcome, comment } => {
            let outcome = match outcome {
                Outcome::Actions => FollowOutcome::Actions,
                Outcome::NoAction => FollowOutcome::NoAction,
            };
            client.unfollow_company(UnfollowCompanyRequest { siren: siren.to_string(), outcome: outcome.into(), comment }).await?;
            follows(&client.list_follows(ListFollowsRequest {}).await?.into_inner().follows).print(session.format)
        }
        Companies::Follows => follows(&client.list_follows(ListFollowsRequest {}).await?.into_inner().follows).print(session.format),
        Companies::BreakGlass { siren, motive } => {
            let request = BreakGlassRequest { siren: siren.to_string(), motive };
            follows(&[client.break_glass(request).await?.into_inner()]).print(session.format)
        }
    }
}

fn document(company: &Company) -> Value {
    json!({
        "siren": company.siren, "name": company.name, "siret": company.siret, "department": company.department, "commune": company.commune,
        "departments": company.departments, "naf_code": company.naf_code, "naf_label_fr": company.naf_label_fr,
        "legal_category": company.legal_category, "headcount": company.headcount,
    })
}

fn found_companies(companies: &[Company]) -> Output {
    let rows = companies.iter().map(|company| {
        let headcount = company.headcount.map_or_else(|| "–".to_owned(), |headcount| number(headcount, 0));
        vec![
            company.siren.clone(),
            company.name.clone(),
            company.department.clone(),
            company.commune.clone(),
            company.naf_label_fr.clone(),
            headcount,
        ]
    });
    let json = companies.iter().map(document).collect();
    Output::new(&["siren", "raison sociale", "dép.", "commune", "activité", "#effectif"], rows.collect(), Value::Array(json))
}

/// A sheet: the latest value of each series, then what stands beside them.
fn sheet(sheet: &CompanySheet) -> Output {
    let company = sheet.company.clone().unwrap_or_default();
    let rows = sheet.series.iter().map(|series| {
        let last = series.values.iter().rposition(|value| !value.is_nan());
        let value = last.map_or_else(|| "–".to_owned(), |at| number(series.values[at], 0));
        let month = last.and_then(|at| sheet.months.get(at)).cloned().unwrap_or_default();
        vec![series.label_fr.clone(), value, series.unit.clone(), month, series.data_until.clone()]
    });
    let header = ["série", "#dernière valeur", "unité", "mois", "données jusqu'à"];
    let mut notes = vec![format!("{} ({}), {} {}", company.name, company.siren, company.commune, company.department)];
    let until = |to: &str| if to.is_empty() { String::new() } else { format!(" à {to}") };
    notes.extend(sheet.procedures.iter().map(|it| format!("{} : depuis {}{}", it.label_fr, it.from_month, until(&it.to_month))));
    notes.extend(sheet.payment_plans.iter().map(|it| format!("Délai de paiement : depuis {}{}", it.from_month, until(&it.to_month))));
    notes.extend(sheet.scores.iter().map(|score| {
        let level = level_fr(score.alert_level, "");
        format!("Liste {} : {level}, {}, rang {}", score.label_fr, percent(score.probability), score.rank)
    }));
    let withheld = sheet.access.as_ref().map(|access| access.withheld.as_slice()).unwrap_or_default();
    if !withheld.is_empty() {
        notes.push(format!("Non visible avec vos habilitations : {}.", withheld.join(", ")));
    }
    notes.into_iter().fold(Output::new(&header, rows.collect(), whole(sheet)), Output::note)
}

fn whole(sheet: &CompanySheet) -> Value {
    let series = sheet.series.iter().map(|series| {
        json!({
            "name": series.name, "unit": series.unit, "label_fr": series.label_fr, "data_until": series.data_until,
            "values": series.values.iter().map(|value| (!value.is_nan()).then_some(*value)).collect::<Vec<_>>(),
            "basis": series.basis().map(|basis| basis.as_str_name().trim_start_matches("BASIS_").to_lowercase()).collect::<Vec<_>>(),
        })
    });
    let procedures = sheet.procedures.iter().map(|it| json!({ "label_fr": it.label_fr, "from": it.from_month, "to": it.to_month }));
    let plans = sheet.payment_plans.iter().map(|it| json!({ "from": it.from_month, "to": it.to_month }));
    let scores = sheet.scores.iter().map(|it| {
        json!({
            "list": it.list_id, "probability": it.probability, "alert_level": level_name(it.alert_level), "rank": it.rank, "model_id": it.model_id,
        })
    });
    let access = sheet.access.clone().unwrap_or_default();
    json!({
        "company": sheet.company.as_ref().map(document), "months": sheet.months, "series": series.collect::<Vec<_>>(),
        "procedures": procedures.collect::<Vec<_>>(), "payment_plans": plans.collect::<Vec<_>>(), "scores": scores.collect::<Vec<_>>(),
        "access": {
            "visible": access.visible, "in_territory": access.in_territory, "ever_alerted": access.ever_alerted, "followed": access.followed,
            "break_glass": access.break_glass, "until": access.until.as_ref().map(moment), "withheld": access.withheld,
        },
        "stale": sheet.stale,
    })
}

fn follows(follows: &[Follow]) -> Output {
    let text = |at: &Option<prost_types::Timestamp>| at.as_ref().map(moment).unwrap_or_default();
    let kind = |follow: &Follow| match follow.reason() {
        FollowReason::Detection => "détection",
        FollowReason::ExternalSource => "source externe",
        FollowReason::InternalSource => "source interne",
        FollowReason::Other => "autre",
        FollowReason::Unspecified => "bris de glace",
    };
    let row = |follow: &Follow| {
        vec![follow.siren.clone(), kind(follow).to_owned(), text(&follow.since), text(&follow.until), follow.comment.clone()]
    };
    let json = follows.iter().map(|follow| {
        json!({
            "siren": follow.siren, "reason": kind(follow), "since": text(&follow.since), "until": follow.until.as_ref().map(moment),
            "comment": follow.comment, "break_glass": follow.break_glass,
        })
    });
    Output::new(&["siren", "motif", "depuis", "jusqu'à", "commentaire"], follows.iter().map(row).collect(), Value::Array(json.collect()))
}
