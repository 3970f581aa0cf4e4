//! Makes the ranked list of a batch: scores and explanations of every company at risk, with what agents need beside them.

use std::collections::HashMap;
use std::sync::Arc;

use domain::records::{Establishment, LegalUnit};
use domain::{AlertLevel, BatchKey, Department, DepartmentSet, LegalCategory, NaiveDate, Siren, Siret};
use lake::Lake;
use lake::tables::Stored;
use online_store::{Published, VectorBlob, snapshot};
use panel::risk::RiskStatus;

use super::entry::{Entry, FirstAlert, Indicators, ListInfo, Previous};
use super::ranking;
use super::store::{List, ListStore};
use crate::champion::{Champion, Explanation};
use crate::error::ScoringError;
use crate::shadow::{self, Shadow};

/// Companies explained together.
const CHUNK: usize = 2_000;

/// Builds and stores the list, and how a challenger would have made it. `progress` is told the companies done and all of
/// them. The same vectors, model and earlier lists give the same list.
pub async fn build(
    lake: &Lake,
    lists: &ListStore,
    champion: Arc<Champion>,
    challenger: Option<Champion>,
    batch: BatchKey,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<(Arc<List>, Option<Shadow>), ScoringError> {
    let published = Published::of_batch(lake, batch).await?.ok_or(ScoringError::NotBuilt(batch))?;
    check(&published, &champion)?;
    let vectors = at_risk(lake, &published.generation).await?;
    let identities = identities(lake, batch, &vectors).await?;
    let past = Past::before(lists, batch).await?;

    let challenger = challenger.map(Arc::new);
    let mut entries = Vec::with_capacity(vectors.len());
    let (mut scores, mut shadows) = (Vec::new(), Vec::new());
    for chunk in vectors.chunks(CHUNK) {
        let values: Vec<f32> = chunk.iter().flat_map(|(_, values)| values.iter().copied()).collect();
        let (model, beside) = (champion.clone(), challenger.clone());
        let scored = tokio::task::spawn_blocking(move || {
            let shadow = beside.map(|model| model.score(&values)).transpose()?;
            Ok::<_, ScoringError>((model.explain(&values)?, shadow.unwrap_or_default()))
        });
        let (explained, shadow) = scored.await.map_err(|error| ScoringError::Task(error.to_string()))??;
        scores.extend(explained.iter().map(|explanation| explanation.scored));
        shadows.extend(shadow);
        for ((siren, values), explanation) in chunk.iter().zip(explained) {
            entries.push(entry(&champion, batch, *siren, values, explanation, identities.get(siren), &past));
        }
        progress(entries.len() as u64, vectors.len() as u64);
    }
    ranking::rank(&mut entries);
    let count = |level| entries.iter().filter(|entry| entry.level == level).count() as u64;
    let info = ListInfo {
        batch,
        generation: 0,
        model_id: champion.id().to_owned(),
        previous: past.previous.clone(),
        month: published.month,
        groups: champion.catalogue().groups().iter().map(|group| group.name.clone()).collect(),
        companies: entries.len() as u64,
        high: count(AlertLevel::High),
        moderate: count(AlertLevel::Moderate),
        sha256: String::new(),
    };
    let list = lists.save(info, entries).await?;
    let shadow = challenger.map(|challenger| shadow::compare(challenger.id(), &scores, &shadows));
    if let Some(shadow) = &shadow {
        lists.save_shadow(&list.info, shadow).await?;
    }
    Ok((list, shadow))
}

fn entry(
    champion: &Champion,
    batch: BatchKey,
    siren: Siren,
    values: &[f32],
    explanation: Explanation,
    identity: Option<&Identity>,
    past: &Past,
) -> Entry {
    let value = |name: &str| {
        let position = champion.catalogue().index_of(name)?;
        values.get(position).filter(|value| !value.is_nan()).map(|&value| f64::from(value))
    };
    let known = past.of(siren);
    let unknown = Identity::default();
    let identity = identity.unwrap_or(&unknown);
    Entry {
        siren,
        name: identity.name.clone(),
        siret: identity.siret,
        department: identity.department,
        commune: identity.commune.clone(),
        departments: identity.departments,
        legal_category: identity.legal_category,
        created: identity.created,
        naf: identity.naf.clone(),
        rank: 0,
        department_rank: 0,
        probability: explanation.scored.probability,
        level: explanation.scored.level,
        previous_level: known.previous,
        first_alert: known.first.seen(batch, explanation.scored.level),
        groups: explanation.groups,
        reasons: explanation.reasons,
        indicators: Indicators {
            headcount: value("headcount"),
            social_debt: value("social_debt"),
            short_time_hours: value("short_time_hours_consumed_12m"),
            social_debt_rising: value("social_debt_diff3").map(|change| change > 0.0),
            payment_plan: Some(value("payment_plan_running").is_some_and(|running| running > 0.0)),
            turnover: value("turnover"),
        },
    }
}

/// Refuses vectors that the champion cannot read.
fn check(published: &Published, champion: &Champion) -> Result<(), ScoringError> {
    let wanted = champion.catalogue().schema_hash();
    if published.schema_hash == wanted {
        Ok(())
    } else {
        Err(ScoringError::SchemaMismatch {
            model: champion.id().to_owned(),
            wanted: wanted.to_owned(),
            found: published.schema_hash.clone(),
        })
    }
}

/// Vectors of the companies at risk, by SIREN.
async fn at_risk(lake: &Lake, generation: &str) -> Result<Vec<(Siren, Vec<f32>)>, ScoringError> {
    let mut vectors = Vec::new();
    for (siren, bytes) in snapshot::read(lake, generation).await? {
        let blob = VectorBlob::decode(&bytes)?;
        if blob.status == RiskStatus::AtRisk as u8 {
            vectors.push((siren, blob.values));
        }
    }
    vectors.sort_unstable_by_key(|(siren, _)| *siren);
    Ok(vectors)
}

/// Who a company is.
#[derive(Default)]
struct Identity {
    name: String,
    naf: String,
    siret: Option<Siret>,
    department: Option<Department>,
    commune: String,
    departments: DepartmentSet,
    legal_category: Option<LegalCategory>,
    created: Option<NaiveDate>,
}

/// Names and establishments of these companies, as of the batch.
async fn identities(lake: &Lake, batch: BatchKey, vectors: &[(Siren, Vec<f32>)]) -> Result<HashMap<Siren, Identity>, ScoringError> {
    let mut identities: HashMap<Siren, Identity> = vectors.iter().map(|(siren, _)| (*siren, Identity::default())).collect();
    let units = lake.table::<Stored<LegalUnit>>().state(batch).await?;
    let named = |unit: LegalUnit| {
        if let Some(identity) = identities.get_mut(&unit.siren) {
            identity.name = unit.display_name();
            identity.naf = unit.naf.map(|naf| naf.to_string()).unwrap_or_default();
            identity.legal_category = unit.legal_category;
            identity.created = unit.created;
        }
    };
    units.each(named).await?;
    let establishments = lake.table::<Stored<Establishment>>().state(batch).await?;
    let located = |row: Establishment| {
        let Some(identity) = identities.get_mut(&row.siret.siren()) else { return };
        row.department.into_iter().for_each(|department| identity.departments.insert(department));
        if row.head_office {
            identity.siret = Some(row.siret);
            identity.department = row.department;
            identity.commune = row.commune.to_string();
        }
    };
    establishments.each(located).await?;
    Ok(identities)
}

/// What earlier lists said that were published, and nothing of later ones: an alert that nobody saw is none.
#[derive(Default)]
struct Past {
    companies: HashMap<Siren, Known>,
    previous: Option<Previous>,
}

#[derive(Clone, Copy, Default)]
struct Known {
    first: FirstAlert,
    previous: Option<AlertLevel>,
}

impl Past {
    async fn before(lists: &ListStore, batch: BatchKey) -> Result<Self, ScoringError> {
        let mut earlier: Vec<_> = lists.all_issued().await?.into_iter().filter(|(list, _)| *list < batch).collect();
        earlier.sort_unstable();
        let mut past = Self::default();
        for &(list, generation) in &earlier {
            let last = Some(&(list, generation)) == earlier.last();
            let stored = lists.load((list, generation)).await?;
            past.previous = Some(Previous { batch: list, model_id: stored.info.model_id.clone() });
            for entry in &stored.entries {
                let known = past.companies.entry(entry.siren).or_default();
                known.first = known.first.seen(list, entry.level);
                known.previous = last.then_some(entry.level);
            }
        }
        Ok(past)
    }

    fn of(&self, siren: Siren) -> Known {
        self.companies.get(&siren).copied().unwrap_or_default()
    }
}
