//! Do the three ways to a vector agree? For companies drawn at random: what is served online, what is stored offline, and
//! what the rows of the sources give today must be the same bits.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use api::features::{ConsistencyReport, Mismatch};
use arrow::array::AsArray;
use domain::time_rules::TimeRules;
use domain::{BatchKey, Siren};
use futures::TryStreamExt;
use lake::Lake;
use online_store::{Online, Published, VectorBlob, snapshot};
use panel::Catalogue;
use panel::risk::RiskStatus;
use rand::SeedableRng;
use rand::seq::SliceRandom;

use crate::companies::{self, Tables};
use crate::encode;
use crate::error::FeatureError;
use crate::frame::Frame;
use crate::peers;

/// Companies whose rows are read together: few, because the rows of those between them are read too.
const BUCKET: usize = 20;
/// Companies asked online together.
const REQUEST: usize = 500;
/// Disagreements listed; all are counted.
const LISTED: usize = 100;

/// A check of what is published.
pub struct Check<'a> {
    /// Tables and objects.
    pub lake: &'a Lake,
    /// What is served.
    pub online: &'a Online,
    /// The features.
    pub catalogue: Arc<Catalogue>,
    /// Publication delays.
    pub rules: TimeRules,
}

/// The bits of a vector: NaN equals NaN, and nothing else is forgiven.
type Bits = Vec<u32>;

fn bits(values: &[f32]) -> Bits {
    // Null is stored as an absence offline: which NaN stood for it is not kept.
    values.iter().map(|value| if value.is_nan() { f32::NAN.to_bits() } else { value.to_bits() }).collect()
}

impl Check<'_> {
    /// Checks so many companies of the generation that is published. `progress` is told the companies done and all of them.
    pub async fn run(&self, companies: usize, seed: u64, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<ConsistencyReport, FeatureError> {
        let published = Published::current(self.lake).await?.ok_or(FeatureError::NothingPublished)?;
        let sirens = self.draw(&published, companies, seed).await?;
        let offline = self.offline(published.batch, &sirens).await?;
        let tables = Tables::as_of(self.lake, published.batch).await?;
        let rates = peers::load(self.lake, published.batch).await?;
        let mut report = ConsistencyReport {
            batch: published.batch.to_string(),
            month: published.month.to_string(),
            generation: published.generation.clone(),
            companies: sirens.len() as u64,
            offline: offline.len() as u64,
            ..ConsistencyReport::default()
        };
        for (position, asked) in sirens.chunks(REQUEST).enumerate() {
            let fetched = self.online.get(asked).await?;
            report.stale |= fetched.stale;
            let served: BTreeMap<Siren, Option<bytes::Bytes>> = asked.iter().copied().zip(fetched.blobs).collect();
            for bucket in asked.chunks(BUCKET) {
                for rows in companies::load(&tables, bucket).await? {
                    let siren = rows.siren;
                    let panel = panel::build(&rows, &rates, published.month, published.month, &self.rules, &self.catalogue);
                    let computed = bits(&panel.vector(published.month));
                    let online = served.get(&siren).and_then(Option::as_ref).map(|blob| VectorBlob::decode(blob)).transpose()?;
                    // A company out of the perimeter has no row offline.
                    let stored = online.as_ref().is_none_or(|blob| blob.status != RiskStatus::OutOfPerimeter as u8);
                    let online = online.map(|blob| bits(&blob.values));
                    let ways = Ways { online: online.as_ref(), stored, offline: offline.get(&siren), computed: &computed };
                    self.compare(&mut report, siren, &ways);
                }
            }
            progress(((position * REQUEST) + asked.len()) as u64, sirens.len() as u64);
        }
        Ok(report)
    }

    /// Companies of the published snapshot, drawn by the seed, in order.
    async fn draw(&self, published: &Published, companies: usize, seed: u64) -> Result<Vec<Siren>, FeatureError> {
        let mut sirens: Vec<Siren> = snapshot::read(self.lake, &published.generation).await?.into_iter().map(|(siren, _)| siren).collect();
        let (drawn, _) = sirens.partial_shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed), companies);
        let mut drawn = drawn.to_vec();
        drawn.sort_unstable();
        Ok(drawn)
    }

    /// The stored vectors of the published month.
    async fn offline(&self, batch: BatchKey, sirens: &[Siren]) -> Result<BTreeMap<Siren, Bits>, FeatureError> {
        let table = encode::table(self.lake, &self.catalogue);
        let month = Some(batch.last_month());
        let frame = Frame { from: month, to: month, sirens: Some(sirens.iter().copied().collect::<HashSet<_>>()), ..Frame::default() };
        let mut scan = frame.scan(&table, batch, encode::schema(&self.catalogue)).await?;
        let mut vectors = BTreeMap::new();
        while let Some(rows) = scan.try_next().await? {
            let names = encode::column(&rows, "siren")?.as_string::<i32>();
            let columns = encode::columns(&rows, &self.catalogue)?;
            for row in 0..rows.num_rows() {
                let values: Vec<f32> = columns.iter().map(|column| encode::value(column, row)).collect();
                let siren = names.value(row).parse().map_err(|error| FeatureError::argument("siren", error))?;
                vectors.insert(siren, bits(&values));
            }
        }
        Ok(vectors)
    }

    /// Notes where the ways disagree.
    fn compare(&self, report: &mut ConsistencyReport, siren: Siren, ways: &Ways<'_>) {
        let mut differ = |feature: &str, values: [Option<u32>; 3]| {
            report.mismatches += 1;
            if report.listed.len() < LISTED {
                let [online, offline, computed] = values.map(|bits| bits.map(f32::from_bits).filter(|value| !value.is_nan()));
                report.listed.push(Mismatch { siren: siren.to_string(), feature: feature.to_owned(), online, offline, computed });
            }
        };
        if ways.incomplete() {
            differ("", [None; 3]);
            return;
        }
        for (position, feature) in self.catalogue.features().iter().enumerate() {
            let at = |bits: Option<&Bits>| bits.and_then(|bits| bits.get(position).copied());
            let values @ [online, offline, computed] = [at(ways.online), at(ways.offline), at(Some(ways.computed))];
            if online != computed || (ways.offline.is_some() && offline != computed) {
                differ(&feature.name, values);
            }
        }
    }
}

/// The vectors of a company.
struct Ways<'a> {
    online: Option<&'a Bits>,
    /// Whether there should be one offline.
    stored: bool,
    offline: Option<&'a Bits>,
    computed: &'a Bits,
}

impl Ways<'_> {
    /// Whether a vector is missing, or of another length.
    fn incomplete(&self) -> bool {
        self.online.is_none_or(|online| online.len() != self.computed.len()) || (self.stored && self.offline.is_none())
    }
}
