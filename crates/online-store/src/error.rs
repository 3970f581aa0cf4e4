//! The errors of the online store.

use thiserror::Error;

/// Why vectors could not be stored or read.
#[derive(Debug, Error)]
pub enum OnlineError {
    /// Redis does not answer or refuses.
    #[error("Redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// A blob that is not one of ours, or is damaged.
    #[error("a stored vector cannot be read ({0}): build the features again")]
    Blob(&'static str),
    /// The snapshot cannot be read.
    #[error(transparent)]
    Lake(#[from] lake::LakeError),
}
