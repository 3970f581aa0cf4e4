//! The gRPC contract of the suite, generated from `proto/`: messages, clients and server traits.
//!
//! The comments of the proto files are the documentation of the items.
#![allow(missing_docs, clippy::all, clippy::pedantic, rustdoc::all)]

/// `google` packages used by ours.
pub mod google {
    /// Long-running operations (AIP-151).
    pub mod longrunning {
        tonic::include_proto!("google.longrunning");
    }
    /// Error model.
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
    /// Calendar days.
    pub mod r#type {
        tonic::include_proto!("google.r#type");
    }
    /// HTTP annotations, only referred to.
    pub mod api {
        tonic::include_proto!("google.api");
    }
}

/// The Open Inference Protocol.
pub mod inference {
    tonic::include_proto!("inference");
}

/// Numbers in JSON documents: NaN, which JSON does not have, is null.
mod nan_is_null {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        (!value.is_nan()).then_some(*value).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
    }
}

#[cfg(test)]
mod tests {
    /// No failure was alerted: there is no lead time, and the figures are stored and read all the same.
    #[test]
    fn what_cannot_be_told_is_null_in_documents() {
        let evaluation = super::training::Evaluation { auc: 0.5, median_lead_time: f64::NAN, ..Default::default() };
        let text = serde_json::to_string(&evaluation).unwrap();
        assert!(text.contains("\"median_lead_time\":null"), "{text}");
        let read: super::training::Evaluation = serde_json::from_str(&text).unwrap();
        assert!(read.auc == 0.5 && read.median_lead_time.is_nan());
        assert_eq!(serde_json::from_str::<super::training::Evaluation>("{}").unwrap().auc, 0.0);
    }
}

macro_rules! package {
    ($($name:ident),*) => {$(
        pub mod $name {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/signauxfaibles.", stringify!($name), ".v1.rs"));
            }
        }
    )*};
}

/// Our packages. The nesting mirrors the proto packages, because generated code refers to its siblings by path.
pub mod signauxfaibles {
    package!(common, ingestion, features, training, scoring, lists, companies, feedback, audit);
}

pub use signauxfaibles::audit::v1 as audit;
pub use signauxfaibles::common::v1 as common;
pub use signauxfaibles::companies::v1 as companies;
pub use signauxfaibles::features::v1 as features;
pub use signauxfaibles::feedback::v1 as feedback;
pub use signauxfaibles::ingestion::v1 as ingestion;
pub use signauxfaibles::lists::v1 as lists;
pub use signauxfaibles::scoring::v1 as scoring;
pub use signauxfaibles::training::v1 as training;

/// All file descriptors, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
