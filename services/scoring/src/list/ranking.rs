//! The order of a list: by probability, then by SIREN, in the country and in each department.

use std::collections::BTreeMap;

use super::entry::Entry;

/// Sorts the entries and writes their ranks. Ties in probability are broken by SIREN, so that the order is total and a
/// list built twice is the same.
pub fn rank(entries: &mut [Entry]) {
    entries.sort_unstable_by(|a, b| b.probability.total_cmp(&a.probability).then_with(|| a.siren.cmp(&b.siren)));
    let mut by_department = BTreeMap::new();
    for (position, entry) in entries.iter_mut().enumerate() {
        entry.rank = position as u32 + 1;
        entry.department_rank = entry.department.map_or(0, |department| {
            let rank = by_department.entry(department).or_insert(0);
            *rank += 1;
            *rank
        });
    }
}

#[cfg(test)]
mod tests {
    use domain::Siren;

    use super::super::tests::entry;
    use super::*;

    #[test]
    fn ranks_are_total_stable_and_per_department() {
        let mut entries = vec![entry(30, "21", 0.2), entry(20, "25", 0.5), entry(10, "21", 0.2), entry(40, "21", 0.9)];
        rank(&mut entries);
        let ranks: Vec<_> = entries.iter().map(|e| (e.siren, e.rank, e.department_rank)).collect();
        let siren = |number| Siren::from_number(number).unwrap();
        assert_eq!(ranks, [(siren(40), 1, 1), (siren(20), 2, 1), (siren(10), 3, 2), (siren(30), 4, 3)]);
        let once = entries.clone();
        entries.reverse();
        rank(&mut entries);
        assert_eq!(entries, once);
    }
}
