//! The state of a source as of a batch: the latest stock that is not after it, and the flows since (`design.md` §3).

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;

use domain::records::Record;
use domain::{BatchKey, Delivery, Siren};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use crate::columns::Columnar;
use crate::error::Result;
use crate::tables::{Partition, Stored, Table};

/// Ranges of SIRENs by which a state of several deliveries is read: memory holds the keys of one of them.
const SLICES: u32 = 100;

/// The batches that make the state as of a batch, oldest first: the latest stock up to it, then the flows after that stock.
pub fn as_of(deliveries: &BTreeMap<BatchKey, Delivery>, batch: BatchKey) -> Vec<BatchKey> {
    let mut batches = Vec::new();
    for (&found, delivery) in deliveries.range(..=batch).rev() {
        batches.push(found);
        if *delivery == Delivery::Stock {
            break;
        }
    }
    batches.reverse();
    batches
}

/// The rows of a source as of a batch. Opened once: later commits do not change what it reads.
pub struct State<R> {
    /// Oldest first.
    parts: Vec<(BatchKey, Partition<Stored<R>>)>,
}

impl<R: Record + Columnar> Table<Stored<R>> {
    /// The state as of a batch; without parts when nothing was delivered yet.
    pub async fn state(&self, batch: BatchKey) -> Result<State<R>> {
        let mut parts = Vec::new();
        for found in as_of(&self.deliveries().await?, batch) {
            parts.push((found, self.partition(found).await?));
        }
        Ok(State { parts })
    }
}

impl<R: Record + Columnar> State<R> {
    /// Whether nothing was delivered yet.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The latest batch that the rows come from.
    pub fn latest(&self) -> Option<BatchKey> {
        self.parts.last().map(|(batch, _)| *batch)
    }

    /// The rows of the companies of a range, or all. Of the rows of a natural key, those of the latest batch that has the key
    /// are given. Rows come batch by batch; a batch in the order of its files. Memory: the keys of a range, when the state is
    /// made of several deliveries.
    pub fn scan(&self, sirens: Option<RangeInclusive<Siren>>) -> Result<BoxStream<'static, Result<Vec<Stored<R>>>>> {
        let parts: Vec<_> = self.parts.iter().map(|(_, part)| part.clone()).collect();
        match (parts.as_slice(), sirens) {
            ([], _) => Ok(stream::empty().boxed()),
            ([only], sirens) => only.scan(sirens),
            (_, Some(sirens)) => Ok(Merge::new(parts, sirens).stream()),
            (_, None) => Ok(stream::iter(Siren::slices(SLICES)).flat_map(move |slice| Merge::new(parts.clone(), slice).stream()).boxed()),
        }
    }

    /// Calls `take` with each row of all companies.
    pub async fn each(&self, mut take: impl FnMut(R)) -> Result<()> {
        let mut scan = self.scan(None)?;
        while let Some(rows) = scan.try_next().await? {
            for stored in rows {
                take(stored.row);
            }
        }
        Ok(())
    }

    /// All rows of the companies of a range, or all. Memory: those rows.
    pub async fn rows(&self, sirens: Option<RangeInclusive<Siren>>) -> Result<Vec<R>> {
        let mut rows = Vec::new();
        let mut scan = self.scan(sirens)?;
        while let Some(chunk) = scan.try_next().await? {
            rows.extend(chunk.into_iter().map(|stored| stored.row));
        }
        Ok(rows)
    }
}

/// Several deliveries read as one, from the latest to the oldest.
struct Merge<R: Record> {
    /// Those not begun yet, the latest at the end.
    parts: Vec<Partition<Stored<R>>>,
    sirens: RangeInclusive<Siren>,
    current: Option<BoxStream<'static, Result<Vec<Stored<R>>>>>,
    /// Keys of the deliveries read whole.
    known: HashSet<R::Key>,
    /// Keys of the one being read.
    new: HashSet<R::Key>,
}

impl<R: Record + Columnar> Merge<R> {
    fn new(parts: Vec<Partition<Stored<R>>>, sirens: RangeInclusive<Siren>) -> Self {
        Self { parts, sirens, current: None, known: HashSet::new(), new: HashSet::new() }
    }

    fn stream(self) -> BoxStream<'static, Result<Vec<Stored<R>>>> {
        stream::try_unfold(self, Self::next).boxed()
    }

    async fn next(mut self) -> Result<Option<(Vec<Stored<R>>, Self)>> {
        loop {
            if let Some(current) = &mut self.current {
                if let Some(mut rows) = current.try_next().await? {
                    rows.retain(|stored| !self.known.contains(&stored.row.key()));
                    if !self.parts.is_empty() {
                        self.new.extend(rows.iter().map(|stored| stored.row.key()));
                    }
                    return Ok(Some((rows, self)));
                }
                self.current = None;
                self.known.extend(self.new.drain());
            }
            let Some(part) = self.parts.pop() else { return Ok(None) };
            self.current = Some(part.scan(Some(self.sirens.clone()))?);
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::records::CompanyHeadcount;

    use super::*;
    use crate::faults::Faulty;

    fn key(text: &str) -> BatchKey {
        text.parse().unwrap()
    }

    #[test]
    fn a_state_is_the_latest_stock_and_the_flows_since() {
        use Delivery::{Flow, Stock};
        let deliveries: BTreeMap<_, _> =
            [("2508", Flow), ("2509", Stock), ("2510", Flow), ("2511", Stock), ("2511_01", Flow), ("2512", Flow)]
                .map(|(batch, delivery)| (key(batch), delivery))
                .into();
        for (batch, expected) in [
            ("2507", &[][..]),
            ("2508", &["2508"]),
            ("2509", &["2509"]),
            ("2510", &["2509", "2510"]),
            ("2511", &["2511"]),
            ("2601", &["2511", "2511_01", "2512"]),
        ] {
            assert_eq!(as_of(&deliveries, key(batch)), expected.iter().map(|text| key(text)).collect::<Vec<_>>(), "{batch}");
        }
    }

    fn row(siren: u32, month: &str, headcount: u32) -> CompanyHeadcount {
        CompanyHeadcount { siren: Siren::from_number(siren).unwrap(), month: month.parse().unwrap(), headcount }
    }

    #[tokio::test]
    async fn of_a_key_the_rows_of_the_latest_batch_count() {
        let (lake, _) = Faulty::lake();
        let table = lake.table::<Stored<CompanyHeadcount>>();
        let deliveries = [
            // Two rows of one key in one delivery: both count.
            (
                "2510",
                Delivery::Stock,
                vec![row(7, "2025-01", 1), row(7, "2025-01", 2), row(7, "2025-02", 3), row(800_000_000, "2025-02", 4)],
            ),
            ("2511", Delivery::Flow, vec![row(7, "2025-02", 30), row(7, "2025-03", 5)]),
            ("2512", Delivery::Flow, vec![row(7, "2025-01", 10), row(7, "2025-03", 50)]),
        ];
        for (batch, delivery, rows) in deliveries {
            let mut writer = table.writer(key(batch)).with_delivery(delivery);
            let known_at = domain::NaiveDate::from_ymd_opt(2025, 1, 1).unwrap();
            writer.write(rows.into_iter().map(|row| Stored { row, known_at }).collect()).await.unwrap();
            writer.commit().await.unwrap();
        }
        for (batch, sirens, expected) in [
            ("2510", None, vec![1, 2, 3, 4]),
            ("2511", None, vec![1, 2, 4, 5, 30]),
            ("2512", None, vec![4, 10, 30, 50]),
            ("2512", Some(row(7, "2025-01", 0).siren..=row(7, "2025-01", 0).siren), vec![10, 30, 50]),
            ("2509", None, vec![]),
        ] {
            let state = table.state(key(batch)).await.unwrap();
            let mut found: Vec<u32> = state.rows(sirens).await.unwrap().iter().map(|row| row.headcount).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{batch}");
            assert_eq!(state.is_empty(), expected.is_empty());
            assert_eq!(state.latest(), (batch != "2509").then(|| key(batch)));
        }
        // A stock delivered again takes the place of a flow of the same batch.
        let mut writer = table.writer(key("2512"));
        let known_at = domain::NaiveDate::from_ymd_opt(2025, 1, 1).unwrap();
        writer.write(vec![Stored { row: row(7, "2025-04", 9), known_at }]).await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(table.state(key("2512")).await.unwrap().rows(None).await.unwrap(), [row(7, "2025-04", 9)]);
    }
}
