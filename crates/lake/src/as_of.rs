//! Which partition holds the state of a source as of a batch.

use domain::BatchKey;

/// The latest partition that is not after `batch`: a source is a stock, whose latest delivery replaces the earlier ones.
pub fn as_of(partitions: &[BatchKey], batch: BatchKey) -> Option<BatchKey> {
    partitions.iter().copied().filter(|partition| *partition <= batch).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_batches_are_not_seen() {
        let key = |text: &str| text.parse::<BatchKey>().unwrap();
        let partitions = [key("2511"), key("2509"), key("2512")];
        assert_eq!(as_of(&partitions, key("2511")), Some(key("2511")));
        assert_eq!(as_of(&partitions, key("2510")), Some(key("2509")));
        assert_eq!(as_of(&partitions, key("2508")), None);
    }
}
