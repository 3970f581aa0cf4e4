//! The Open Inference Protocol, version 2, over the champion: what inference servers and their clients have in common.
//!
//! The model is `champion`; its version is the identifier of the model that is loaded. One input: `features`, rows of the
//! catalogue's features as FP32 or FP64 (NaN for unknown), or `siren`, companies as BYTES whose vectors are looked up. Outputs:
//! `probability` (calibrated) and `raw_score` (log-odds), one FP64 a row. An input of another name is taken for `features`: clients
//! of the protocol name theirs as they like.

use std::sync::Arc;

use api::inference::grpc_inference_service_server::GrpcInferenceService;
use api::inference::model_infer_request::InferInputTensor;
use api::inference::model_infer_response::InferOutputTensor;
use api::inference::model_metadata_response::TensorMetadata;
use api::inference::{
    InferTensorContents, ModelInferRequest, ModelInferResponse, ModelMetadataRequest, ModelMetadataResponse, ModelReadyRequest,
    ModelReadyResponse, ServerLiveRequest, ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse, ServerReadyRequest,
    ServerReadyResponse,
};
use service_kit::audit::{Audited, about};
use tonic::{Request, Response, Status};

use crate::champion::{Champion, Scored};
use crate::error::ScoringError;
use crate::scoring_service::Scoring;

/// Name of the only model.
const MODEL: &str = "champion";
/// Rows in one request, at most: as of a batch of scores.
const MOST: usize = 1_000;

/// The service, beside the scoring service.
pub struct Inference {
    /// Finds vectors.
    pub scoring: Scoring,
}

/// An output and how it is read from a score.
type Output = (&'static str, fn(&Scored) -> f64);

/// The outputs of the model.
const OUTPUTS: [Output; 2] = [("probability", |scored| scored.probability), ("raw_score", |scored| scored.raw)];

impl Inference {
    /// The champion, if it is the model asked for.
    async fn model(&self, name: &str, version: &str) -> Result<Arc<Champion>, ScoringError> {
        let champion = self.scoring.state.champion().await?;
        let known = (name == MODEL || name == champion.id()) && (version.is_empty() || version == champion.id());
        let message =
            || format!("there is no model '{name}' of version '{version}' here: the model is '{MODEL}', its version {}", champion.id());
        if known { Ok(champion.clone()) } else { Err(ScoringError::Tensor(message())) }
    }

    async fn infer(&self, request: ModelInferRequest) -> Result<ModelInferResponse, ScoringError> {
        let champion = self.model(&request.model_name, &request.model_version).await?;
        let [input] = request.inputs.as_slice() else {
            return Err(ScoringError::Tensor(format!("one input is expected, `features` or `siren`; {} came", request.inputs.len())));
        };
        let raw = request.raw_input_contents.first().map(Vec::as_slice);
        let scored = match input.name.as_str() {
            "siren" => self.scoring.known(&champion, &texts(input, raw)?).await?,
            _ => champion.score(&numbers(input, raw, champion.catalogue().features().len())?)?,
        };
        let wanted = |name: &str| request.outputs.is_empty() || request.outputs.iter().any(|output| output.name == name);
        if let Some(unknown) = request.outputs.iter().find(|output| OUTPUTS.iter().all(|(name, _)| *name != output.name)) {
            return Err(ScoringError::Tensor(format!("'{}' is not an output: probability or raw_score", unknown.name)));
        }
        let outputs = OUTPUTS.iter().filter(|(name, _)| wanted(name)).map(|(name, read)| InferOutputTensor {
            name: (*name).to_owned(),
            datatype: "FP64".to_owned(),
            shape: vec![scored.len() as i64],
            contents: Some(InferTensorContents { fp64_contents: scored.iter().map(read).collect(), ..InferTensorContents::default() }),
            ..InferOutputTensor::default()
        });
        Ok(ModelInferResponse {
            model_name: request.model_name.clone(),
            model_version: champion.id().to_owned(),
            id: request.id.clone(),
            outputs: outputs.collect(),
            ..ModelInferResponse::default()
        })
    }
}

/// The rows of a tensor of numbers.
fn numbers(input: &InferInputTensor, raw: Option<&[u8]>, width: usize) -> Result<Vec<f32>, ScoringError> {
    let refused = |why: String| Err(ScoringError::Tensor(format!("input '{}': {why}", input.name)));
    let rows = match *input.shape {
        [rows, columns] if usize::try_from(columns).ok() == Some(width) => usize::try_from(rows).unwrap_or(usize::MAX),
        _ => return refused(format!("its shape is {:?}; [rows, {width}] is expected", input.shape)),
    };
    if rows == 0 || rows > MOST {
        return refused(format!("{rows} rows; 1 to {MOST} are expected"));
    }
    let contents = input.contents.as_ref();
    let values: Vec<f32> = match (input.datatype.as_str(), raw) {
        ("FP32", None) => contents.map(|contents| contents.fp32_contents.clone()).unwrap_or_default(),
        ("FP64", None) => contents.into_iter().flat_map(|contents| &contents.fp64_contents).map(|value| *value as f32).collect(),
        ("FP32", Some(raw)) => raw.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect(),
        ("FP64", Some(raw)) => raw
            .chunks_exact(8)
            .map(|bytes| f64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]) as f32)
            .collect(),
        (other, _) => return refused(format!("its type is '{other}'; FP32 or FP64 is expected")),
    };
    let size = if input.datatype == "FP32" { 4 } else { 8 };
    if values.len() == rows * width && raw.is_none_or(|raw| raw.len() == values.len() * size) {
        Ok(values)
    } else {
        refused(format!("it holds {} elements; {} are expected", values.len(), rows * width))
    }
}

/// The texts of a tensor of bytes: as elements, or each after its length in four bytes.
fn texts(input: &InferInputTensor, raw: Option<&[u8]>) -> Result<Vec<String>, ScoringError> {
    let refused = |why: &str| ScoringError::Tensor(format!("input '{}': {why}", input.name));
    if input.datatype != "BYTES" {
        return Err(refused("BYTES is expected"));
    }
    let mut elements: Vec<Vec<u8>> = input.contents.as_ref().map(|contents| contents.bytes_contents.clone()).unwrap_or_default();
    let mut rest = raw.unwrap_or_default();
    while let Some((length, after)) = rest.split_at_checked(4) {
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let (element, after) = after.split_at_checked(length).ok_or_else(|| refused("its bytes end too early"))?;
        elements.push(element.to_vec());
        rest = after;
    }
    if !rest.is_empty() || elements.is_empty() || elements.len() > MOST {
        return Err(refused(&format!("1 to {MOST} texts are expected")));
    }
    elements.into_iter().map(|element| String::from_utf8(element).map_err(|_| refused("it holds bytes that are no text"))).collect()
}

#[tonic::async_trait]
impl GrpcInferenceService for Inference {
    async fn server_live(&self, _: Request<ServerLiveRequest>) -> Result<Response<ServerLiveResponse>, Status> {
        Ok(Response::new(ServerLiveResponse { live: true }))
    }

    async fn server_ready(&self, _: Request<ServerReadyRequest>) -> Result<Response<ServerReadyResponse>, Status> {
        Ok(Response::new(ServerReadyResponse { ready: self.scoring.state.champion().await.is_ok() }))
    }

    async fn model_ready(&self, request: Request<ModelReadyRequest>) -> Result<Response<ModelReadyResponse>, Status> {
        let request = request.into_inner();
        Ok(Response::new(ModelReadyResponse { ready: self.model(&request.name, &request.version).await.is_ok() }))
    }

    async fn server_metadata(&self, _: Request<ServerMetadataRequest>) -> Result<Response<ServerMetadataResponse>, Status> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Response::new(ServerMetadataResponse { name: "signaux-faibles".to_owned(), version, extensions: Vec::new() }))
    }

    async fn model_metadata(&self, request: Request<ModelMetadataRequest>) -> Result<Response<ModelMetadataResponse>, Status> {
        let request = request.into_inner();
        let champion = self.model(&request.name, &request.version).await?;
        let tensor = |name: &str, datatype: &str, shape: &[i64]| TensorMetadata {
            name: name.to_owned(),
            datatype: datatype.to_owned(),
            shape: shape.to_vec(),
        };
        Ok(Response::new(ModelMetadataResponse {
            name: MODEL.to_owned(),
            versions: vec![champion.id().to_owned()],
            platform: "lightgbm".to_owned(),
            inputs: vec![tensor("features", "FP32", &[-1, champion.catalogue().features().len() as i64]), tensor("siren", "BYTES", &[-1])],
            outputs: OUTPUTS.iter().map(|(name, _)| tensor(name, "FP64", &[-1])).collect(),
        }))
    }

    async fn model_infer(&self, request: Request<ModelInferRequest>) -> Result<Response<ModelInferResponse>, Status> {
        let request = request.into_inner();
        let by_siren = request.inputs.first().filter(|input| input.name == "siren");
        let sirens = by_siren.map(|input| texts(input, request.raw_input_contents.first().map(Vec::as_slice))).transpose()?;
        let rows = request.inputs.first().and_then(|input| input.shape.first()).and_then(|rows| u64::try_from(*rows).ok());
        let audited = Audited { sirens: sirens.unwrap_or_default(), rows, ..Audited::default() };
        Ok(about(Response::new(self.infer(request).await?), audited))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(datatype: &str, shape: &[i64], contents: InferTensorContents) -> InferInputTensor {
        InferInputTensor {
            name: "x".into(),
            datatype: datatype.into(),
            shape: shape.to_vec(),
            contents: Some(contents),
            ..InferInputTensor::default()
        }
    }

    #[test]
    fn rows_come_in_four_ways_and_must_have_their_shape() {
        let fp32 = InferTensorContents { fp32_contents: vec![1.0, 2.0, 3.0, 4.0], ..InferTensorContents::default() };
        let fp64 = InferTensorContents { fp64_contents: vec![1.0, 2.0, 3.0, 4.0], ..InferTensorContents::default() };
        let none = InferTensorContents::default;
        let raw32: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let raw64: Vec<u8> = [1.0f64, 2.0, 3.0, 4.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let expected = vec![1.0, 2.0, 3.0, 4.0];
        assert_eq!(numbers(&tensor("FP32", &[2, 2], fp32.clone()), None, 2).unwrap(), expected);
        assert_eq!(numbers(&tensor("FP64", &[1, 4], fp64), None, 4).unwrap(), expected);
        assert_eq!(numbers(&tensor("FP32", &[2, 2], none()), Some(&raw32), 2).unwrap(), expected);
        assert_eq!(numbers(&tensor("FP64", &[2, 2], none()), Some(&raw64), 2).unwrap(), expected);
        for (datatype, shape) in [("FP32", [4, 1]), ("FP32", [3, 2]), ("FP32", [0, 2]), ("FP32", [-1, 2]), ("INT64", [2, 2])] {
            assert!(numbers(&tensor(datatype, &shape, fp32.clone()), None, 2).is_err(), "{datatype} {shape:?}");
        }
        assert!(numbers(&tensor("FP32", &[2, 2], none()), Some(&raw32[..15]), 2).is_err());
        assert!(numbers(&tensor("FP32", &[2, 2], none()), Some(&[&raw32[..], &[0]].concat()), 2).is_err());
    }

    #[test]
    fn texts_come_in_two_ways() {
        let elements = InferTensorContents { bytes_contents: vec![b"552013555".to_vec()], ..InferTensorContents::default() };
        assert_eq!(texts(&tensor("BYTES", &[1], elements), None).unwrap(), ["552013555"]);
        let raw = [&[9, 0, 0, 0][..], b"552013555", &[1, 0, 0, 0], b"x"].concat();
        let input = tensor("BYTES", &[2], InferTensorContents::default());
        assert_eq!(texts(&input, Some(&raw)).unwrap(), ["552013555", "x"]);
        for bad in [&raw[..7], &raw[..15], &[]] {
            assert!(texts(&input, Some(bad)).is_err());
        }
    }
}
