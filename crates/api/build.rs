//! Generates the gRPC types from `proto/` with a compiler written in Rust: nothing to install.

use std::path::{Path, PathBuf};

use prost::Message;
use prost_types::FileDescriptorSet;
use prost_types::field_descriptor_proto::{Label, Type};

/// Messages that are also stored as JSON documents, in operations, reports and manifests.
const STORED: [&str; 13] = [
    "ingestion.v1.ImportReport",
    "ingestion.v1.FileReport",
    "ingestion.v1.PruneReport",
    "ingestion.v1.PrunedFiles",
    "features.v1.BuildReport",
    "features.v1.ConsistencyReport",
    "features.v1.Mismatch",
    "training.v1.Model",
    "training.v1.Thresholds",
    "training.v1.Split",
    "training.v1.Evaluation",
    "lists.v1.DetectionList",
    "lists.v1.Shadow",
];

/// The fields of a message that are always there and may hold NaN.
fn numbers(descriptors: &FileDescriptorSet, message: &str) -> Vec<String> {
    let (package, name) = message.rsplit_once('.').unwrap_or_default();
    let package = format!("signauxfaibles.{package}");
    let messages = descriptors.file.iter().filter(|file| file.package() == package).flat_map(|file| &file.message_type);
    let fields = messages.filter(|found| found.name() == name).flat_map(|found| &found.field);
    let single = fields.filter(|field| field.r#type() == Type::Double && field.label() != Label::Repeated && !field.proto3_optional());
    single.map(|field| field.name().to_owned()).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Asked when it runs: a build folder that two clones share may hold this program as compiled for the other one.
    let root = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    let packages = ["common", "ingestion", "features", "training", "scoring", "lists", "companies", "feedback", "audit"];
    let mut files: Vec<PathBuf> =
        packages.iter().map(|package| root.join(format!("signauxfaibles/{package}/v1/{package}.proto"))).collect();
    files.push(root.join("google/longrunning/operations.proto"));
    files.push(root.join("inference/inference.proto"));
    println!("cargo:rerun-if-changed={}", root.display());

    let descriptors = protox::compile(&files, [&root])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    let mut config = tonic_prost_build::configure();
    for message in STORED {
        let path = format!(".signauxfaibles.{message}");
        for field in numbers(&descriptors, message) {
            config = config.field_attribute(format!("{path}.{field}"), "#[serde(with = \"crate::nan_is_null\")]");
        }
        config = config.type_attribute(path, "#[derive(serde::Serialize, serde::Deserialize)] #[serde(default)]");
    }
    config.bytes(".signauxfaibles.common.v1.Chunk").bytes(".signauxfaibles.ingestion.v1.UploadFileRequest").compile_fds(descriptors)?;
    Ok(())
}
