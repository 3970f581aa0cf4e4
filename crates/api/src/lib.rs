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
    /// HTTP annotations, only referred to.
    pub mod api {
        tonic::include_proto!("google.api");
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
    package!(common, ingestion, features, training, scoring, lists);
}

pub use signauxfaibles::common::v1 as common;
pub use signauxfaibles::features::v1 as features;
pub use signauxfaibles::ingestion::v1 as ingestion;
pub use signauxfaibles::lists::v1 as lists;
pub use signauxfaibles::scoring::v1 as scoring;
pub use signauxfaibles::training::v1 as training;

/// All file descriptors, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
