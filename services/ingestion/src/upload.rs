//! Files on their way in: stored whole and checked, or not at all; a broken upload goes on where it stopped.
//!
//! An upload whose size and SHA-256 are announced arrives in segments, `uploads/<batch>/<sha256>/<offset>`, which outlive the
//! connection and the process. Once all are there the file is stored from them and they go. Without announcement a file
//! comes in one stream, and what a broken stream brought is lost.

use api::ingestion::UploadHeader;
use bytes::{Bytes, BytesMut};
use domain::BatchKey;
use futures::{Stream, StreamExt, TryStreamExt};
use lake::{Lake, LakeError, RawFile, check_name};
use serde::{Deserialize, Serialize};
use service_kit::error::{ErrorCode, ServiceError};
use tokio::pin;
use tonic::Status;

use crate::import::checked_batch;

/// Bytes of a segment.
const SEGMENT: usize = 8 * 1024 * 1024;

/// Limits of uploads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Uploads {
    /// Bytes of the largest file accepted.
    pub max_file_bytes: u64,
    /// Whether an import may copy files from a folder of this machine: for programs that run the service for themselves. Who
    /// calls a service would otherwise read what the service may read.
    #[serde(skip)]
    pub local_folders: bool,
}

impl Default for Uploads {
    fn default() -> Self {
        Self { max_file_bytes: 16 * 1024 * 1024 * 1024, local_folders: false }
    }
}

/// An upload.
pub struct Upload<'a> {
    lake: &'a Lake,
    batch: BatchKey,
    name: String,
    limit: u64,
    /// Size and digest announced.
    announced: Option<(u64, String)>,
    offset: u64,
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that have arrived.
    pub received: u64,
    /// The file is stored and current.
    pub complete: bool,
}

fn refused(message: String, name: &str) -> ServiceError {
    ServiceError::new(ErrorCode::Upload, message).with("file", name)
}

impl<'a> Upload<'a> {
    /// Checks what a header announces.
    pub fn new(lake: &'a Lake, limits: &Uploads, header: &UploadHeader) -> Result<Self, ServiceError> {
        let batch = checked_batch(&header.batch)?;
        let (name, limit) = (header.file_name.clone(), limits.max_file_bytes);
        check_name(&name)?;
        if header.size > limit {
            return Err(refused(format!("{name} has {} bytes, {limit} are accepted (service.uploads.max_file_bytes)", header.size), &name));
        }
        let announced = match header.sha256.as_str() {
            "" => None,
            digest if digest.len() == 64 && digest.bytes().all(|c| c.is_ascii_hexdigit()) => {
                Some((header.size, digest.to_ascii_lowercase()))
            }
            other => return Err(refused(format!("'{other}' is no SHA-256: 64 hexadecimal digits are expected"), &name)),
        };
        if announced.is_none() && header.offset > 0 {
            return Err(refused("only an upload whose size and SHA-256 are announced goes on where it stopped".to_owned(), &name));
        }
        Ok(Self { lake, batch, name, limit, announced, offset: header.offset })
    }

    /// How much has arrived.
    pub async fn progress(&self) -> Result<Progress, ServiceError> {
        let Some((size, sha256)) = &self.announced else { return Ok(Progress { received: 0, complete: false }) };
        if self.stored(sha256).await?.is_some() {
            return Ok(Progress { received: *size, complete: true });
        }
        let received = self.segments(sha256).await?.iter().map(|(_, size)| size).sum();
        Ok(Progress { received, complete: false })
    }

    /// Takes the data of a stream, and stores the file once it is whole.
    pub async fn take(&self, data: impl Stream<Item = Result<Bytes, Status>>) -> Result<RawFile, ServiceError> {
        let Some((size, sha256)) = &self.announced else {
            let mut left = self.limit;
            let limited = data.map(move |piece| {
                let piece = piece.map_err(|status| status.message().to_owned())?;
                left = left.checked_sub(piece.len() as u64).ok_or("it is larger than what is accepted (service.uploads.max_file_bytes)")?;
                Ok::<_, String>(piece)
            });
            return Ok(self.lake.raw().put(self.batch, &self.name, None, limited).await?);
        };
        self.append(*size, sha256, data).await?;
        let segments = self.segments(sha256).await?;
        let arrived: u64 = segments.iter().map(|(_, size)| size).sum();
        if arrived != *size {
            // Another upload of the same file has stored it, or is at it.
            return self.stored(sha256).await?.ok_or_else(|| self.moved(arrived));
        }
        let paths: Vec<String> = segments.into_iter().map(|(path, _)| path).collect();
        let whole = futures::stream::iter(paths.clone()).then(|path| async move { self.lake.objects().get(&path).await });
        let stored = self.lake.raw().put(self.batch, &self.name, Some(sha256), whole).await;
        if matches!(stored, Ok(_) | Err(LakeError::Altered { .. })) {
            // Of no use any more; what stays is removed by the next pruning.
            for path in paths {
                self.lake.objects().delete(&path).await?;
            }
        }
        let Err(error @ LakeError::Corrupt { .. }) = stored else { return Ok(stored?) };
        // Another upload of the same file stored it first, and removed the segments while they were read here.
        let left: u64 = self.segments(sha256).await?.iter().map(|(_, size)| size).sum();
        match self.stored(sha256).await? {
            Some(file) => Ok(file),
            None if left != *size => Err(self.moved(left)),
            None => Err(error.into()),
        }
    }

    /// The file of this name, if it is already stored with this digest.
    async fn stored(&self, sha256: &str) -> Result<Option<RawFile>, ServiceError> {
        let current = self.lake.raw().list(self.batch).await?.remove(&self.name);
        Ok(current.filter(|file| file.sha256 == sha256))
    }

    fn moved(&self, received: u64) -> ServiceError {
        let message = format!("{received} bytes of {} have arrived, the data begins at {}: ask GetUpload first", self.name, self.offset);
        ServiceError::new(ErrorCode::UploadMoved, message).with("file", &self.name)
    }

    fn folder(&self, sha256: &str) -> String {
        format!("uploads/{}/{sha256}", self.batch)
    }

    /// The segments that follow each other from the beginning: path and size.
    async fn segments(&self, sha256: &str) -> Result<Vec<(String, u64)>, LakeError> {
        let mut end = 0;
        let mut segments = Vec::new();
        for found in self.lake.objects().describe(&self.folder(sha256)).await? {
            let offset = found.path.rsplit('/').next().and_then(|name| name.parse::<u64>().ok());
            if offset == Some(end) {
                end += found.size;
                segments.push((found.path, found.size));
            }
        }
        Ok(segments)
    }

    /// Stores the data as segments, what a broken stream brought included.
    async fn append(&self, size: u64, sha256: &str, data: impl Stream<Item = Result<Bytes, Status>>) -> Result<(), ServiceError> {
        let received: u64 = self.segments(sha256).await?.iter().map(|(_, size)| size).sum();
        let name = &self.name;
        if self.offset != received {
            return Err(self.moved(received));
        }
        pin!(data);
        let (mut at, mut segment, mut broken) = (received, BytesMut::new(), None);
        loop {
            let piece = match data.try_next().await {
                Ok(piece) => piece,
                Err(status) => {
                    broken = Some(status);
                    None
                }
            };
            let ended = piece.is_none();
            segment.extend_from_slice(&piece.unwrap_or_default());
            if at + segment.len() as u64 > size {
                return Err(refused(format!("{name} has more than the {size} bytes that were announced"), name));
            }
            if segment.len() >= SEGMENT || (ended && !segment.is_empty()) {
                let bytes = segment.split().freeze();
                let length = bytes.len() as u64;
                self.lake.objects().put(&format!("{}/{at:020}", self.folder(sha256)), bytes).await?;
                at += length;
            }
            if ended {
                break;
            }
        }
        if let Some(status) = broken {
            return Err(ServiceError::from_status(&status));
        }
        if at < size {
            return Err(refused(format!("{at} bytes of {name} have arrived, {size} were announced: send the rest"), name));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use lake::LakeOptions;
    use sha2::{Digest, Sha256};

    use super::*;

    struct Place {
        _folder: tempfile::TempDir,
        lake: Lake,
    }

    fn place() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap(), &LakeOptions::default()).unwrap();
        Place { _folder: folder, lake }
    }

    fn header(content: &[u8], offset: u64) -> UploadHeader {
        let sha256 = hex::encode(Sha256::digest(content));
        UploadHeader { batch: "2511".into(), file_name: "a.csv".into(), size: content.len() as u64, sha256, offset }
    }

    fn pieces(content: &[u8], broken: bool) -> impl Stream<Item = Result<Bytes, Status>> + use<> {
        let pieces: Vec<_> = content.chunks(1_000_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        stream::iter(pieces).chain(stream::iter(broken.then(|| Err(Status::unavailable("gone")))))
    }

    #[tokio::test]
    async fn a_broken_upload_goes_on_where_it_stopped() {
        let place = place();
        let content: Vec<u8> = (0..20_000_003u32).map(|value| (value % 251) as u8).collect();
        let at = |offset| Upload::new(&place.lake, &Uploads::default(), &header(&content, offset)).unwrap();
        assert_eq!(at(0).progress().await.unwrap(), Progress { received: 0, complete: false });
        assert!(at(0).take(pieces(&content[..9_500_000], true)).await.is_err());
        assert_eq!(at(0).progress().await.unwrap(), Progress { received: 9_500_000, complete: false });
        assert_eq!(at(7).take(pieces(b"x", false)).await.unwrap_err().code(), ErrorCode::UploadMoved, "elsewhere than where it stopped");
        // The stream ends early, as if all were there.
        assert!(at(9_500_000).take(pieces(&content[9_500_000..12_000_000], false)).await.is_err());
        let file = at(12_000_000).take(pieces(&content[12_000_000..], false)).await.unwrap();
        assert_eq!((file.size, &file.sha256), (content.len() as u64, &header(&content, 0).sha256));
        assert!(at(0).progress().await.unwrap().complete);
        assert!(place.lake.objects().list("uploads").await.unwrap().is_empty());
        let stored: Vec<Bytes> = place.lake.raw().open("2511".parse().unwrap(), "a.csv").await.unwrap().try_collect().await.unwrap();
        assert!(stored.concat() == content);
    }

    #[tokio::test]
    async fn two_uploads_of_a_file_at_once_store_it() {
        let place = place();
        let content: Vec<u8> = (0..20_000_003u32).map(|value| (value % 251) as u8).collect();
        let [first, second] = [(); 2].map(|()| {
            let upload = Upload::new(&place.lake, &Uploads::default(), &header(&content, 0)).unwrap();
            let data = pieces(&content, false);
            async move { upload.take(data).await }
        });
        let (first, second) = tokio::join!(first, second);
        assert!(first.is_ok() || second.is_ok());
        for lost in [first, second].into_iter().filter_map(Result::err) {
            assert_eq!(lost.code(), ErrorCode::UploadMoved, "{lost}");
        }
        let again = Upload::new(&place.lake, &Uploads::default(), &header(&content, 0)).unwrap();
        assert!(again.progress().await.unwrap().complete);
    }

    #[tokio::test]
    async fn what_was_not_announced_is_refused() {
        let place = place();
        let limits = Uploads { max_file_bytes: 10, ..Uploads::default() };
        let new = |header: &UploadHeader| Upload::new(&place.lake, &limits, header).map_err(|error| error.code());
        let good = header(b"content", 0);
        for (bad, code) in [
            (UploadHeader { size: 11, ..good.clone() }, ErrorCode::Upload),
            (UploadHeader { sha256: "abc".into(), ..good.clone() }, ErrorCode::Upload),
            (UploadHeader { sha256: String::new(), offset: 1, ..good.clone() }, ErrorCode::Upload),
            (UploadHeader { file_name: "../a.csv".into(), ..good.clone() }, ErrorCode::Upload),
            (UploadHeader { batch: "2513".into(), ..good.clone() }, ErrorCode::BatchKey),
        ] {
            assert_eq!(new(&bad).err(), Some(code), "{bad:?}");
        }
        let take = async |header: &UploadHeader, content: &[u8]| new(header).unwrap().take(pieces(content, false)).await;
        assert_eq!(take(&good, b"CONTENT").await.unwrap_err().code(), ErrorCode::Upload, "another digest");
        assert_eq!(take(&good, b"content and more").await.unwrap_err().code(), ErrorCode::Upload, "more bytes");
        let plain = UploadHeader { size: 0, sha256: String::new(), ..good.clone() };
        assert!(take(&plain, b"content and more").await.is_err(), "larger than accepted");
        assert!(place.lake.raw().list("2511".parse().unwrap()).await.unwrap().is_empty());
        assert_eq!(take(&good, b"content").await.unwrap().size, 7);
        assert_eq!(take(&plain, b"other").await.unwrap().size, 5);
    }
}
