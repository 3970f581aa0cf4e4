//! Who is followed, and how often their peers enter proceedings: what a build must know of all companies before it computes
//! the vectors of any.

use std::collections::{BTreeMap, HashMap};

use domain::records::{Notice, ProcolEvent};
use domain::time_rules::TimeRules;
use domain::{BatchKey, Month, Siren, bodacc};
use futures::TryStreamExt;
use lake::Lake;
use lake::tables::PeerRow;
use panel::peers::{Count, Member, Peer, PeerCounts, PeerRates};
use panel::perimeter::{Size, SizeBasis};
use panel::reach::Reach;

use crate::companies::Tables;
use crate::error::FeatureError;

/// The companies followed, in order, and their counts by group. Memory while it is made: about a hundred bytes a company.
pub struct Followed {
    /// Companies that ever had enough employees: learning on today's only would drop those that failed. When bands tell the
    /// size, those of today are all that is known.
    pub sirens: Vec<Siren>,
    /// How many of each group were at risk and entered proceedings.
    pub counts: PeerCounts,
    /// Last month of which all proceedings are known.
    pub known: Month,
}

impl Followed {
    /// Looks through the tables; `large` are the companies large enough today.
    pub async fn gather(tables: &Tables, batch: BatchKey, size: Size, large: &[Siren], rules: &TimeRules) -> Result<Self, FeatureError> {
        let mut members: BTreeMap<Siren, Member> = large.iter().map(|siren| (*siren, Member::default())).collect();
        if size.basis != SizeBasis::HeadcountBands {
            if tables.company_headcounts.is_empty() {
                return Err(FeatureError::NoHeadcounts(batch));
            }
            let take = |row: domain::records::CompanyHeadcount| {
                if row.headcount >= size.rule.headcount {
                    members.entry(row.siren).or_default().headcount(&row, size.rule);
                }
            };
            tables.company_headcounts.each(take).await?;
        }
        tables.units.each(|row| with(&mut members, row.siren, |member| member.legal_unit(&row, size.rule))).await?;
        tables.establishments.each(|row| with(&mut members, row.siret.siren(), |member| member.establishment(&row))).await?;
        let known = proceedings(tables, &mut members, batch).await?;
        let mut counts = PeerCounts::new(batch.last_month(), known);
        for member in members.values() {
            counts.add(member, rules, size);
        }
        Ok(Self { sirens: members.into_keys().collect(), counts, known })
    }
}

/// Does something with a company that is followed.
fn with(members: &mut BTreeMap<Siren, Member>, siren: Siren, take: impl FnOnce(&mut Member)) {
    if let Some(member) = members.get_mut(&siren) {
        take(member);
    }
}

/// Takes the proceedings of the companies followed; gives the last month of which those of all companies are known.
async fn proceedings(tables: &Tables, members: &mut BTreeMap<Siren, Member>, batch: BatchKey) -> Result<Month, FeatureError> {
    let mut reach = Reach::default();
    if !tables.proceedings.is_empty() {
        let take = |row: ProcolEvent| {
            reach.judged(row.effective);
            with(members, row.siren, |member| member.proceedings([row]));
        };
        tables.proceedings.each(take).await?;
        return Ok(reach.known_until(tables.proceedings.latest().unwrap_or(batch).last_month()));
    }
    let mut notices: HashMap<Siren, Vec<Notice>> = HashMap::new();
    let take = |row: Notice| {
        reach.published(row.published, row.effective);
        if members.contains_key(&row.siren) {
            notices.entry(row.siren).or_default().push(row);
        }
    };
    tables.notices.each(take).await?;
    for (siren, notices) in notices {
        with(members, siren, |member| member.proceedings(bodacc::events(&notices)));
    }
    Ok(reach.known_until(tables.notices.latest().unwrap_or(batch).last_month()))
}

/// Stores the counts of a batch, so that a vector can be computed for one company alone.
pub async fn store(lake: &Lake, batch: BatchKey, counts: &PeerCounts) -> Result<(), FeatureError> {
    let row = |(peer, month, count): (Peer, _, Count)| PeerRow { peer: peer.code(), month, at_risk: count.at_risk, entered: count.entered };
    let mut writer = lake.table::<PeerRow>().writer(batch);
    writer.write(counts.rows().map(row).collect()).await?;
    writer.commit().await?;
    Ok(())
}

/// The rates of a batch, as its build counted them.
pub async fn load(lake: &Lake, batch: BatchKey) -> Result<PeerRates, FeatureError> {
    let rows: Vec<PeerRow> = lake.table::<PeerRow>().scan(batch, None).await?.try_concat().await?;
    if rows.is_empty() {
        return Err(FeatureError::NotBuilt(batch));
    }
    // The rows end with the last month whose entries the build knew.
    let known = rows.iter().map(|row| row.month).max().unwrap_or_else(|| batch.last_month());
    let mut counts = PeerCounts::new(batch.last_month(), known);
    for row in rows {
        // A group that another version counted is nobody's.
        if let Some(peer) = Peer::from_code(&row.peer) {
            counts.set(peer, row.month, Count { at_risk: row.at_risk, entered: row.entered });
        }
    }
    Ok(counts.rates())
}

#[cfg(test)]
mod tests {
    use lake::LakeOptions;

    use super::*;

    /// A vector asked for later reads the rates that the build read.
    #[tokio::test]
    async fn counts_come_back_as_the_same_rates() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap(), &LakeOptions::default()).unwrap();
        let batch: BatchKey = "2511".parse().unwrap();
        assert!(matches!(load(&lake, batch).await, Err(FeatureError::NotBuilt(_))));

        let mut counts = PeerCounts::new(batch.last_month(), batch.last_month());
        let month = |text: &str| text.parse::<Month>().unwrap();
        for (peer, at_risk, entered) in
            [(Peer::All, 5_000, 40), (Peer::Sector(47), 300, 9), (Peer::Department("2A".parse().unwrap()), 80, 1)]
        {
            counts.set(peer, month("2025-03"), Count { at_risk, entered });
            counts.set(peer, month("2025-04"), Count { at_risk, entered: entered + 1 });
        }
        let bits = |rates: &PeerRates| -> Vec<u64> {
            let months = month("2024-12").to(batch.last_month());
            let peers = [Peer::All, Peer::Sector(47), Peer::Sector(1), Peer::Department("2A".parse().unwrap())];
            months.flat_map(|month| peers.map(|peer| rates.at(peer, month).to_bits())).collect()
        };
        // Twice: building again replaces them.
        for _ in 0..2 {
            store(&lake, batch, &counts).await.unwrap();
            assert_eq!(bits(&load(&lake, batch).await.unwrap()), bits(&counts.rates()));
        }
    }
}
