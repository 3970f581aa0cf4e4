//! `sf lists`: ranked lists for agents, in French.

use api::lists::{
    DetectionList, DiffListsRequest, ExportListRequest, GetRankedListRequest, LevelCounts, ListEntry, ListListsRequest, ListSummary,
    ProposeCuratedListRequest, ProposeCuratedListResponse, PublishListRequest, RankedListFilter, RollbackListRequest,
    SummarizeRankedListRequest, SummaryPart, TerritoryMatch,
};
use serde_json::{Value, json};

use super::Session;
use super::features::save;
use super::score::{level_fr, level_name, percent};
use crate::args::{Lists, Selection};
use crate::failure::Failure;
use crate::output::{Output, count, number};

/// Entries asked for in one page.
const PAGE: u32 = 500;

pub async fn lists(session: &Session, verb: Lists) -> Result<(), Failure> {
    let mut client = session.clients.lists();
    match verb {
        Lists::List => {
            let lists = client.list_lists(ListListsRequest::default()).await?.into_inner().lists;
            described(&lists).print(session.format)
        }
        Lists::Show { id, selection, order_by, limit } => show(session, &id, &selection, &order_by, limit).await,
        Lists::Summary { id, selection } => {
            let request = SummarizeRankedListRequest { id, structured_filter: Some(filter(&selection)), filter: selection.filter.clone() };
            summary(&client.summarize_ranked_list(request).await?.into_inner()).print(session.format)
        }
        Lists::Propose { id, selection, per_department, least_age } => {
            let structured_filter = Some(filter(&selection));
            let request = ProposeCuratedListRequest { id, structured_filter, per_department, least_age_years: least_age };
            proposal(&client.propose_curated_list(request).await?.into_inner()).print(session.format)
        }
        Lists::Diff { from, to } => {
            let diff = client.diff_lists(DiffListsRequest { from_id: from, to_id: to, structured_filter: None }).await?.into_inner();
            let rows = diff.changes.iter().map(|change| {
                let levels = [level_fr(change.from_level, ""), level_fr(change.to_level, "")];
                [vec![change.change.clone(), change.siren.clone(), change.name.clone(), change.department.clone()], levels.to_vec()]
                    .concat()
            });
            let json = diff.changes.iter().map(|change| {
                json!({
                    "change": change.change, "siren": change.siren, "name": change.name, "department": change.department,
                    "from_level": level_name(change.from_level), "to_level": level_name(change.to_level),
                })
            });
            let json = json!({ "model_changed": diff.model_changed, "changes": json.collect::<Vec<_>>() });
            let mut output = Output::new(&["changement", "siren", "raison sociale", "dép.", "avant", "après"], rows.collect(), json);
            if diff.model_changed {
                output = output.note("Le modèle a changé entre les deux listes : une différence peut venir de lui.");
            }
            output.print(session.format)
        }
        Lists::Export { id, out, columns, selection } => {
            let format = out.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default();
            if !["csv", "xlsx", "parquet"].contains(&format.as_str()) {
                return Err(Failure::usage(format!("{}: the file must end in .csv, .xlsx or .parquet", out.display())));
            }
            let structured_filter = Some(filter(&selection));
            let request = ExportListRequest { id, format, structured_filter, filter: selection.filter, order_by: String::new(), columns };
            let chunks = client.export_list(request).await?.into_inner();
            let size = save(chunks, &out).await?;
            Output::new(&["file", "#bytes"], vec![vec![out.display().to_string(), count(size)]], json!({ "file": out, "bytes": size }))
                .print(session.format)
        }
        Lists::Publish { id } => described(&[client.publish_list(PublishListRequest { id }).await?.into_inner()]).print(session.format),
        Lists::Rollback => described(&[client.rollback_list(RollbackListRequest {}).await?.into_inner()]).print(session.format),
    }
}

/// Descriptions of lists.
pub fn described(lists: &[DetectionList]) -> Output {
    let rows = lists.iter().map(|list| {
        vec![
            list.id.clone(),
            list.label_fr.clone(),
            list.generation.to_string(),
            count(list.companies),
            count(list.high),
            count(list.moderate),
            if list.published { "oui" } else { "non" }.to_owned(),
            list.model_id.clone(),
        ]
    });
    let header = ["liste", "nom", "#génération", "#entreprises", "#risque élevé", "#risque modéré", "publiée", "modèle"];
    let output = Output::new(&header, rows.collect(), json!({ "lists": lists }));
    let shadow = |list: &DetectionList| {
        let shadow = list.shadow.as_ref()?;
        Some(format!(
            "Challenger {} on the same companies: rank correlation {}, {} at a higher level, {} at a lower one, {} at the same; mean probability {:+.2} points.",
            shadow.model_id,
            number(shadow.rank_correlation, 3),
            shadow.raised,
            shadow.lowered,
            shadow.same,
            100.0 * shadow.mean_difference,
        ))
    };
    lists.iter().filter_map(shadow).fold(output, Output::note)
}

fn filter(selection: &Selection) -> RankedListFilter {
    let level = |level: &domain::AlertLevel| match level {
        domain::AlertLevel::None => api::common::AlertLevel::None,
        domain::AlertLevel::Moderate => api::common::AlertLevel::Moderate,
        domain::AlertLevel::High => api::common::AlertLevel::High,
    };
    RankedListFilter {
        departments: selection.department.iter().map(ToString::to_string).collect(),
        regions: selection.region.iter().map(ToString::to_string).collect(),
        alert_levels: selection.level.iter().map(|wanted| level(wanted).into()).collect(),
        first_alerts_only: selection.first_alerts,
        territory_match: if selection.any_establishment { TerritoryMatch::AnyEstablishment } else { TerritoryMatch::HeadOffice }.into(),
        query: selection.query.clone(),
        ..RankedListFilter::default()
    }
}

/// The first entries of a list.
pub async fn show(session: &Session, id: &str, selection: &Selection, order_by: &str, limit: u32) -> Result<(), Failure> {
    let mut client = session.clients.lists();
    let mut entries: Vec<ListEntry> = Vec::new();
    let (mut token, mut described, mut total) = (String::new(), DetectionList::default(), 0);
    loop {
        let page_size = (limit - entries.len() as u32).min(PAGE) as i32;
        if page_size == 0 {
            break;
        }
        let request = GetRankedListRequest {
            id: id.to_owned(),
            structured_filter: Some(filter(selection)),
            page_size,
            page_token: token,
            filter: selection.filter.clone(),
            order_by: order_by.to_owned(),
            read_mask: Some(prost_types::FieldMask { paths: vec!["*".to_owned()] }),
        };
        let page = client.get_ranked_list(request).await?.into_inner();
        entries.extend(page.entries);
        described = page.list.unwrap_or_default();
        total = page.total_size;
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let rows = entries.iter().map(|entry| {
        vec![
            entry.rank.to_string(),
            entry.department_rank.to_string(),
            entry.siren.clone(),
            entry.name.clone(),
            entry.department.clone(),
            level_fr(entry.alert_level, ""),
            percent(entry.probability),
            if entry.first_alert.as_ref().is_some_and(|first| first.is_first) { "oui" } else { "" }.to_owned(),
            entry.reasons.join("\n"),
        ]
    });
    let header = ["#rang", "#rang dép.", "siren", "raison sociale", "dép.", "niveau", "#probabilité", "1re alerte", "pourquoi"];
    let json = json!({ "list": described, "total_size": total, "entries": entries.iter().map(document).collect::<Vec<_>>() });
    let output = Output::new(&header, rows.collect(), json);
    let output = output.note(format!(
        "Liste {} ({}), données à fin {}, modèle {} : {} entreprises sur {}.",
        described.id,
        described.label_fr,
        described.month,
        described.model_id,
        entries.len(),
        count(total)
    ));
    output.note("Un score n'est pas une décision. Sur des données inventées il ne prouve que la mécanique.").print(session.format)
}

/// Counts of a list.
fn summary(summary: &ListSummary) -> Output {
    let counts = |counts: Option<&LevelCounts>| counts.copied().unwrap_or_default();
    let row = |part: &str, label: &str, counts: LevelCounts| {
        let figures = [counts.companies, counts.high, counts.moderate, counts.first_alerts].map(count);
        [vec![part.to_owned(), label.to_owned()], figures.to_vec()].concat()
    };
    let parts = |kind: &'static str, parts: &[SummaryPart]| {
        let rows = parts.iter().map(move |part| row(kind, &format!("{} {}", part.code, part.label_fr), counts(part.counts.as_ref())));
        rows.collect::<Vec<_>>()
    };
    let total = counts(summary.total.as_ref());
    let rows = [vec![row("toutes", "", total)], parts("département", &summary.departments), parts("secteur", &summary.naf_sections)];
    let figures = |counts: LevelCounts| json!({ "companies": counts.companies, "high": counts.high, "moderate": counts.moderate, "first_alerts": counts.first_alerts });
    let document = |parts: &[SummaryPart]| {
        parts
            .iter()
            .map(|part| json!({ "code": part.code, "label": part.label_fr, "counts": figures(counts(part.counts.as_ref())) }))
            .collect::<Vec<_>>()
    };
    let json = json!({
        "list": summary.list, "total": figures(total), "departments": document(&summary.departments),
        "naf_sections": document(&summary.naf_sections),
    });
    Output::new(&["par", "quoi", "#entreprises", "#risque élevé", "#risque modéré", "#1re alerte"], rows.concat(), json)
}

/// A proposal, and where it stops.
fn proposal(proposal: &ProposeCuratedListResponse) -> Output {
    let rows = proposal.entries.iter().map(|entry| {
        let ranks = [entry.rank.to_string(), entry.department_rank.to_string()];
        [ranks.to_vec(), vec![entry.siren.clone(), entry.name.clone(), entry.department.clone(), level_fr(entry.alert_level, "")]].concat()
    });
    let cuts = proposal.cuts.iter().map(|cut| json!({ "department": cut.department, "left_out": cut.left_out }));
    let json = json!({
        "list": proposal.list, "entries": proposal.entries.iter().map(document).collect::<Vec<_>>(), "cuts": cuts.collect::<Vec<_>>(),
    });
    let output = Output::new(&["#rang", "#rang dép.", "siren", "raison sociale", "dép.", "niveau"], rows.collect(), json);
    let cut = |cut: &api::lists::CuratedCut| format!("Département {} : {} entreprises de plus.", cut.department, count(cut.left_out));
    proposal.cuts.iter().map(cut).fold(output, Output::note)
}

fn document(entry: &ListEntry) -> Value {
    let first = entry.first_alert.clone().unwrap_or_default();
    let indicators = entry.indicators.clone().unwrap_or_default();
    let groups = entry
        .groups
        .iter()
        .map(|group| json!({ "group": group.group, "log_odds": group.log_odds, "percentage_points": group.percentage_points }));
    json!({
        "siren": entry.siren, "name": entry.name, "department": entry.department, "naf_code": entry.naf_code, "rank": entry.rank,
        "department_rank": entry.department_rank, "probability": entry.probability, "alert_level": level_name(entry.alert_level),
        "previous_level": level_name(entry.previous_level),
        "first_alert": {
            "first_list": first.first_list, "first_high_list": first.first_high_list, "is_first": first.is_first,
            "is_first_high": first.is_first_high, "model_changed": first.model_changed,
        },
        "groups": groups.collect::<Vec<_>>(), "reasons": entry.reasons,
        "indicators": {
            "headcount": indicators.headcount, "social_debt": indicators.social_debt, "short_time_hours": indicators.short_time_hours,
            "payment_plan": indicators.payment_plan, "social_debt_rising": indicators.social_debt_rising, "turnover": indicators.turnover,
        },
        "siret": entry.siret, "departments": entry.departments, "commune": entry.commune, "legal_category": entry.legal_category,
        "withheld": entry.withheld,
    })
}
